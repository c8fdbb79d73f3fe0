// Forward over channels_last memory: a sample is P rows of C values, and each channel has its own three coefficients.

#pragma once

#include "apply.h"
#include "rows.h"
#include "share.h"

namespace groupnorm::LEVEL {

// y = (x - high) * scale + offset for every element of a lap.
struct Coefficients {
  Room<float> high, scale, offset;  // a lap, padded
  explicit Coefficients(int64_t lap) : high(padded(lap)), scale(padded(lap)), offset(padded(lap)) {}
};

struct Map {
  Two high, scale, offset;
  Map(const Coefficients& from, int64_t i)
      : high(load(from.high.data() + i)), scale(load(from.scale.data() + i)), offset(load(from.offset.data() + i)) {}
  Two operator()(Two v) const {
    return {fma(v.a - high.a, scale.a, offset.a), fma(v.b - high.b, scale.b, offset.b)};
  }
};

// kLaps laps, `lap` apart, of which the first `count` elements each: coefficients are loaded once for all of them.
template <bool kStreams, int kLaps, Activation A, typename T>
void apply_laps(const T* x, T* y, int64_t lap, int64_t count, const Coefficients& coefficients) {
  const auto put = [](T* to, Two v) {
    if constexpr (kStreams) stream(to, v);
    else store(to, v);
  };
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    const Map map(coefficients, i);
    if constexpr (kLaps == 1) {
      Two v = map(load(x + i));
      activate<T, A>(v);
      put(y + i, v);
    }
#pragma GCC unroll 2
    for (int r = 0; r + 2 <= kLaps; r += 2) {
      prefetch_block(x + r * lap + i + kFetch), prefetch_block(x + (r + 1) * lap + i + kFetch);
      Two v = map(load(x + r * lap + i)), w = map(load(x + (r + 1) * lap + i));
      activate<T, A>(v, w);
      put(y + r * lap + i, v), put(y + (r + 1) * lap + i, w);
    }
  }
  if (i == count) return;
  const Map map(coefficients, i);
  for (int r = 0; r < kLaps; ++r) {
    Two v = map(load(x + r * lap + i, count - i));
    activate<T, A>(v);
    store(y + r * lap + i, v, count - i);
  }
}

template <bool kStreams, Activation A, typename T>
void apply_rows(const T* x, T* y, int64_t lap, int64_t count, const Coefficients& coefficients) {
  int64_t i = 0;
  for (; i + 4 * lap <= count; i += 4 * lap) apply_laps<kStreams, 4, A>(x + i, y + i, lap, lap, coefficients);
  for (; i < count; i += lap) apply_laps<false, 1, A>(x + i, y + i, lap, least(lap, count - i), coefficients);
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
  void apply_chunk(int64_t n, int64_t index, const Coefficients& coefficients) const {
    const T* x = x_ + at(n, index);
    T* y = y_ + at(n, index);
    const int64_t lap = rows_.lap, count = rows_.length(index) * p_.C;
    // Streams go to whole vectors' addresses.
    const bool is_aligned = (reinterpret_cast<uintptr_t>(y) | lap * sizeof(T)) % sizeof(F) == 0;
    if (!call_.streams || !is_aligned) return apply_rows<false, A>(x, y, lap, count, coefficients);
    apply_rows<true, A>(x, y, lap, count, coefficients);
    end_stream();
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
