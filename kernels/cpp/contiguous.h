// Forward over contiguous memory: a group is one run of D * P elements, its channels one after the other.

#pragma once

#include "share.h"
#include "statistics.h"

namespace groupnorm::LEVEL {

// Positions below which a channel is too short for vectors of one weight: then weights are spread along the group.
constexpr int64_t kShort = kWidth == 16 ? 8 : kBlock;

template <typename T, Activation A>
void apply_run(const T* x, T* y, int64_t count, float high, float scale, float offset) {
  const F s = splat(scale), o = splat(offset);
  const auto apply = [&](Two v) { return activate<A>(Two{fma(v.a - high, s, o), fma(v.b - high, s, o)}); };
  int64_t i = 0;
  for (; i + 2 * kBlock <= count; i += 2 * kBlock) {
    const Two v = apply(load(x + i)), w = apply(load(x + i + kBlock));
    store(y + i, v), store(y + i + kBlock, w);
  }
  for (; i + kBlock <= count; i += kBlock) store(y + i, apply(load(x + i)));
  if (i < count) store(y + i, apply(load(x + i, count - i)), count - i);
}

// weight and bias have a value for each element.
template <typename T, Activation A>
void apply_spread(const T* x, T* y, int64_t count, const Normal& n, const float* weight, const float* bias) {
  const F rstd = splat(n.rstd), low = splat(-n.low);
  const auto one = [&](F v, F w, F b) {
    const F scale = rstd * w;
    return activate<A>(fma(v - n.high, scale, fma(low, scale, b)));
  };
  int64_t i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    const Two v = load(x + i), w = load(weight + i), b = load(bias + i);
    store(y + i, Two{one(v.a, w.a, b.a), one(v.b, w.b, b.b)});
  }
  if (i == count) return;
  const int64_t part = count - i;
  const Two v = load(x + i, part), w = load(weight + i, part), b = load(bias + i, part);
  store(y + i, Two{one(v.a, w.a, b.a), one(v.b, w.b, b.b)}, part);
}

template <typename T, Activation A>
class Contiguous {
 public:
  explicit Contiguous(const Forward& call)
      : call_(call), p_(call.problem), D_(p_.channels()), P_(p_.P), elements_(p_.elements()),
        x_(static_cast<const T*>(call.x)), y_(static_cast<T*>(call.y)), spread_(P_ < kShort),
        room_(2 * p_.C * (spread_ ? P_ + 1 : 1)), weight_(floats_of(call.weight, p_.C, 1.0f, &room_[0])),
        bias_(floats_of(call.bias, p_.C, 0.0f, &room_[p_.C])) {
    if (!spread_ || P_ == 1) return;
    weight_ = spread_along(weight_, &room_[2 * p_.C]);
    bias_ = spread_along(bias_, &room_[(2 + P_) * p_.C]);
  }

  void run() {
    const int64_t groups = p_.N * p_.G, first = alone(p_.pool, groups, elements_ * sizeof(T));
    parallel(p_.pool, first, ceil_of(kGrain, elements_), [&](int64_t begin, int64_t end) {
      for (int64_t group = begin; group < end; ++group) {
        const Normal normal = finish(group, moments_of_run(x_ + group * elements_, elements_));
        for (int64_t i = ceil_of(elements_, kChunk) - 1; i >= 0; --i) apply_chunk(group, i, normal);
      }
    });
    for (int64_t group = first; group < groups; ++group) together(group);
  }

 private:
  const float* spread_along(const float* values, float* to) const {
    for (int64_t c = 0; c < p_.C; ++c) {
      for (int64_t i = 0; i < P_; ++i) to[c * P_ + i] = values[c];
    }
    return to;
  }

  Normal finish(int64_t group, Moments moments) const {
    if (is_beyond_float(moments, call_.eps)) {
      moments = moments_in_double(x_ + group * elements_, 1, elements_, 0);
    }
    const Normal normal(moments, call_.eps);
    if (call_.statistics) write(call_.statistics + 3 * group, normal);
    return normal;
  }

  // Chunks backwards: what was read last for the moments is still in the cache.
  void apply_chunk(int64_t group, int64_t index, const Normal& n) const {
    const int64_t begin = index * kChunk, end = least(begin + kChunk, elements_), c = group % p_.G * D_;
    const T* x = x_ + group * elements_;
    T* y = y_ + group * elements_;
    if (spread_) {
      const int64_t at = c * P_ + begin;
      return apply_spread<T, A>(x + begin, y + begin, end - begin, n, weight_ + at, bias_ + at);
    }
    for (int64_t i = begin, d = begin / P_; i < end; ++d) {
      const int64_t stop = least((d + 1) * P_, end);
      const float weight = weight_[c + d];
      apply_run<T, A>(x + i, y + i, stop - i, n.high, n.scale(weight), n.offset(weight, bias_[c + d]));
      i = stop;
    }
  }

  void together(int64_t group) const {
    const int64_t chunks = ceil_of(elements_, kChunk);
    const T* x = x_ + group * elements_;
    Room<Moments> parts(chunks);
    parallel(p_.pool, chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        parts[i] = moments_of_chunk(x + i * kChunk, least(kChunk, elements_ - i * kChunk));
      }
    });
    Moments all = parts[0];
    for (int64_t i = 1; i < chunks; ++i) all.add(parts[i]);
    const Normal normal = finish(group, all);
    parallel(p_.pool, chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = end - 1; i >= begin; --i) apply_chunk(group, i, normal);
    });
  }

  const Forward& call_;
  const Problem& p_;
  const int64_t D_, P_, elements_;
  const T* x_;
  T* y_;
  const bool spread_;
  Room<float> room_;
  const float *weight_, *bias_;
};

}  // namespace groupnorm::LEVEL
