// Forward over channels_last memory: a sample is P rows of C values, and each channel has its own three coefficients.

#pragma once

#include "apply.h"
#include "rows.h"
#include "share.h"

namespace groupnorm::LEVEL {

constexpr int64_t kFetchable = 1 << 19;  // bytes of a sample, half of a core's cache about
constexpr int64_t kPeriod = 1024;  // elements of coefficients, where C is less: a longer run for one call

// y = (x - high) * scale + offset for every element of a few rows.
struct Coefficients {
  int64_t period;  // elements, whole rows
  Room<float> high, scale, offset;

  explicit Coefficients(const Rows& rows)
      : period(rows.lap), high(2 * kPeriod + rows.lap), scale(2 * kPeriod + rows.lap), offset(2 * kPeriod + rows.lap) {
    while (period * 2 <= kPeriod) period *= 2;
  }

  // After the first C are set.
  void repeat(int64_t C) {
    for (float* values : {high.data(), scale.data(), offset.data()}) {
      for (int64_t done = C; done < period; done *= 2) {
        std::memcpy(values + done, values, least(done, period - done) * sizeof(float));
      }
    }
  }
};

struct OfBlock {
  Two high, scale, offset;
  GROUPNORM_INLINE Two operator()(Two v) const {
    return {fma(v.a - high.a, scale.a, offset.a), fma(v.b - high.b, scale.b, offset.b)};
  }
};

struct ByElement {
  const float *high, *scale, *offset;
  template <typename... Part>
  GROUPNORM_INLINE OfBlock at(int64_t i, Part... part) const {
    return {load(high + i, part...), load(scale + i, part...), load(offset + i, part...)};
  }
  template <typename... Part>
  GROUPNORM_INLINE Two operator()(int64_t i, Two v, Part... part) const {
    return at(i, part...)(v);
  }
};

template <typename T, Activation A>
class ChannelsLast {
 public:
  explicit ChannelsLast(const Forward& call)
      : call_(call), p_(call.problem), rows_(p_), sample_(p_.C * p_.P), x_(static_cast<const T*>(call.x)),
        y_(static_cast<T*>(call.y)), room_(2 * p_.C), weight_(floats_of(call.weight, p_.C, 1.0f, &room_[0])),
        bias_(floats_of(call.bias, p_.C, 0.0f, &room_[p_.C])) {}

  void run() {
    const int64_t bytes = sample_ * static_cast<int64_t>(sizeof(T)), first = alone(p_.pool, p_.N, bytes);
    // The next sample, while this one is written.
    const int64_t ahead = fetches<T, A>(p_.N * sample_) && bytes <= kFetchable ? sample_ : 0;
    parallel(p_.pool, first, ceil_of(kGrain, sample_), [&](int64_t begin, int64_t end) {
      RowSums sums(rows_);
      Coefficients coefficients(rows_);
      Room<Moments> all(rows_.G), part(rows_.G);
      for (int64_t n = begin; n < end; ++n) {
        guess_shift(x_ + n * sample_, rows_, sums);
        for (int64_t i = 0; i < rows_.chunks; ++i) {
          moments_of_rows(x_ + at(n, i), rows_.length(i), rows_, sums, i == 0 ? &all[0] : &part[0]);
          for (int64_t g = 0; i > 0 && g < rows_.G; ++g) all[g].add(part[g]);
        }
        finish(n, &all[0], coefficients);
        for (int64_t i = rows_.chunks - 1; i >= 0; --i) apply_chunk(n, i, coefficients, {call_.streams, ahead});
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
    coefficients.repeat(p_.C);
  }

  // Chunks backwards: what was read last for the moments is still in the cache.
  void apply_chunk(int64_t n, int64_t index, const Coefficients& c, Writing writing) const {
    const T* x = x_ + at(n, index);
    T* y = y_ + at(n, index);
    const ByElement map{c.high.data(), c.scale.data(), c.offset.data()};
    const int64_t count = rows_.length(index) * p_.C;
    int64_t i = 0;
    if constexpr (constexpr int kRuns = kAtOnce<T, A>; kRuns > 1) {
      for (; !writing.streams && i + kRuns * c.period <= count; i += kRuns * c.period) {
        apply_runs<kRuns, T, A>(x + i, y + i, c.period, map, writing.ahead);
      }
    }
    for (; i < count; i += c.period) {
      apply<T, A>(x + i, y + i, least(c.period, count - i), map, writing);
    }
    if (writing.streams) end_stream();
  }

  void together(int64_t n) const {
    const int64_t G = rows_.G;
    Room<Moments> parts(rows_.chunks * G);
    parallel(p_.pool, rows_.chunks, 1, [&](int64_t begin, int64_t end) {
      RowSums sums(rows_);
      guess_shift(x_ + n * sample_, rows_, sums);
      for (int64_t i = begin; i < end; ++i) {
        moments_of_rows(x_ + at(n, i), rows_.length(i), rows_, sums, &parts[i * G]);
      }
    });
    for (int64_t i = 1; i < rows_.chunks; ++i) {
      for (int64_t g = 0; g < G; ++g) parts[g].add(parts[i * G + g]);
    }
    Coefficients coefficients(rows_);
    finish(n, &parts[0], coefficients);
    parallel(p_.pool, rows_.chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = end - 1; i >= begin; --i) apply_chunk(n, i, coefficients, {call_.streams, 0});
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
