// Forward over channels_last memory: a sample is P rows of C values, and each channel has its own three coefficients.

#pragma once

#include "rows.h"
#include "share.h"

namespace groupnorm::LEVEL {

// y = (x - high) * scale + offset for every element of a lap.
struct Coefficients {
  Room<float> high, scale, offset;  // a lap, padded
  explicit Coefficients(int64_t lap) : high(padded(lap)), scale(padded(lap)), offset(padded(lap)) {}
};

template <int kLaps, Activation A, typename T>
void apply_laps(const T* x, T* y, int64_t lap, int64_t count, Coefficients& coefficients) {
  const float *high = &coefficients.high[0], *scale = &coefficients.scale[0], *offset = &coefficients.offset[0];
  const auto apply = [](Two v, Two h, Two s, Two o) {
    return activate<A>(Two{fma(v.a - h.a, s.a, o.a), fma(v.b - h.b, s.b, o.b)});
  };
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    const Two h = load(high + i), s = load(scale + i), o = load(offset + i);
#pragma GCC unroll 4
    for (int r = 0; r < kLaps; ++r) store(y + r * lap + i, apply(load(x + r * lap + i), h, s, o));
  }
  if (i == count) return;
  const Two h = load(high + i), s = load(scale + i), o = load(offset + i);
  for (int r = 0; r < kLaps; ++r) {
    const T* from = x + r * lap + i;
    store(y + r * lap + i, apply(load(from, count - i), h, s, o), count - i);
  }
}

template <typename T, Activation A>
class ChannelsLast {
 public:
  explicit ChannelsLast(const Forward& call)
      : call_(call), p_(call.problem), rows_(p_), sample_(p_.C * p_.P), x_(static_cast<const T*>(call.x)),
        y_(static_cast<T*>(call.y)), room_(2 * p_.C), weight_(floats_of(call.weight, p_.C, 1.0f, &room_[0])),
        bias_(floats_of(call.bias, p_.C, 0.0f, &room_[p_.C])) {}

  void run() {
    const int64_t first = alone(p_.pool, p_.N, sample_ * sizeof(T));
    parallel(p_.pool, first, ceil_of(kGrain, sample_), [&](int64_t begin, int64_t end) {
      RowSums sums(rows_);
      Coefficients coefficients(rows_.lap);
      Room<Moments> all(rows_.G), part(rows_.G);
      for (int64_t n = begin; n < end; ++n) {
        for (int64_t i = 0; i < rows_.chunks; ++i) {
          moments_of_rows(x_ + at(n, i), rows_.length(i), rows_, sums, i == 0 ? &all[0] : &part[0]);
          for (int64_t g = 0; i > 0 && g < rows_.G; ++g) all[g].add(part[g]);
        }
        finish(n, &all[0], coefficients);
        for (int64_t i = rows_.chunks - 1; i >= 0; --i) apply_chunk(n, i, coefficients);
      }
    });
    for (int64_t n = first; n < p_.N; ++n) together(n);
  }

 private:
  int64_t at(int64_t n, int64_t index) const { return n * sample_ + index * rows_.chunk * p_.C; }

  void finish(int64_t n, Moments* groups, Coefficients& coefficients) const {
    float *high = &coefficients.high[0], *scale = &coefficients.scale[0], *offset = &coefficients.offset[0];
    for (int64_t g = 0, c = 0; g < rows_.G; ++g) {
      if (is_beyond_float(groups[g], call_.eps)) {
        groups[g] = moments_in_double(x_ + n * sample_ + g * rows_.D, p_.P, rows_.D, p_.C);
      }
      const Normal normal(groups[g], call_.eps);
      if (call_.statistics) write(call_.statistics + 3 * (n * rows_.G + g), normal);
      for (const int64_t last = c + rows_.D; c < last; ++c) {
        high[c] = normal.high;
        scale[c] = normal.scale(weight_[c]);
        offset[c] = normal.offset(weight_[c], bias_[c]);
      }
    }
    for (int64_t i = p_.C; i < rows_.lap; ++i) {
      high[i] = high[i - p_.C], scale[i] = scale[i - p_.C], offset[i] = offset[i - p_.C];
    }
  }

  // Chunks backwards: what was read last for the moments is still in the cache.
  void apply_chunk(int64_t n, int64_t index, Coefficients& coefficients) const {
    const T* x = x_ + at(n, index);
    T* y = y_ + at(n, index);
    const int64_t lap = rows_.lap, count = rows_.length(index) * p_.C;
    int64_t i = 0;
    for (; i + 4 * lap <= count; i += 4 * lap) apply_laps<4, A>(x + i, y + i, lap, lap, coefficients);
    for (; i < count; i += lap) apply_laps<1, A>(x + i, y + i, lap, least(lap, count - i), coefficients);
  }

  void together(int64_t n) const {
    const int64_t G = rows_.G;
    Room<Moments> parts(rows_.chunks * G);
    parallel(p_.pool, rows_.chunks, 1, [&](int64_t begin, int64_t end) {
      RowSums sums(rows_);
      for (int64_t i = begin; i < end; ++i) {
        moments_of_rows(x_ + at(n, i), rows_.length(i), rows_, sums, &parts[i * G]);
      }
    });
    for (int64_t i = 1; i < rows_.chunks; ++i) {
      for (int64_t g = 0; g < G; ++g) parts[g].add(parts[i * G + g]);
    }
    Coefficients coefficients(rows_.lap);
    finish(n, &parts[0], coefficients);
    parallel(p_.pool, rows_.chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = end - 1; i >= begin; --i) apply_chunk(n, i, coefficients);
    });
  }

  const Forward& call_;
  const Problem& p_;
  const Rows rows_;
  const int64_t sample_;
  const T* x_;
  T* y_;
  Room<float> room_;
  const float *weight_, *bias_;
};

}  // namespace groupnorm::LEVEL
