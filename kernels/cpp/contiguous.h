// Forward over contiguous memory: a group is one run of D * P elements, its channels one after the other.

#pragma once

#include "apply.h"
#include "share.h"

namespace groupnorm::LEVEL {

// Positions below which a channel is too short for vectors of one weight: then weights are spread along the group.
constexpr int64_t kShort = kWidth == 16 ? 8 : kBlock;
constexpr int64_t kLong = 512;  // from which a channel alone is worth a loop
constexpr int64_t kBatch = 16, kBatchElements = 2 * kTile;  // so that a batch of several has one tile each

// A channel: one affine map.
struct Uniform {
  F high, scale, offset;
  GROUPNORM_INLINE Two operator()(int64_t, Two v, int64_t = kBlock) const {
    return {fma(v.a - high, scale, offset), fma(v.b - high, scale, offset)};
  }
};

// A group whose weight and bias have a value for each element.
struct Spread {
  Normal normal;
  const float *weight, *bias;
  GROUPNORM_INLINE Two operator()(int64_t i, Two v) const { return map(v, load(weight + i), load(bias + i)); }
  GROUPNORM_INLINE Two operator()(int64_t i, Two v, int64_t part) const {
    return map(v, load(weight + i, part), load(bias + i, part));
  }
  GROUPNORM_INLINE Two map(Two v, Two w, Two b) const { return {one(v.a, w.a, b.a), one(v.b, w.b, b.b)}; }
  GROUPNORM_INLINE F one(F v, F w, F b) const {
    const F scale = normal.rstd * w;
    return fma(v - normal.high, scale, fma(splat(-normal.low), scale, b));
  }
};

// A group whose channels are at least a block long, walked block after block: they begin anywhere in a channel, but hold
// two of them at most. Taken in order. A loop for each channel took 1.3 of the time for 49 positions, 1.2 for 64.
struct Straddling {
  float high;
  const float *scale, *offset;  // of the channel that the next block begins in
  int64_t P, end;               // where that channel ends
  GROUPNORM_INLINE Two operator()(int64_t i, Two v, int64_t = kBlock) {
    if (i >= end) ++scale, ++offset, end += P;
    Two s{splat(scale[0]), splat(scale[0])}, o{splat(offset[0]), splat(offset[0])};
    const int64_t left = end - i;
    if (left < kBlock) {
      const F a = lanes(), b = a + static_cast<float>(kWidth), bound = splat(static_cast<float>(left));
      const F next_s = splat(scale[1]), next_o = splat(offset[1]);
      s = {a < bound ? s.a : next_s, b < bound ? s.b : next_s};
      o = {a < bound ? o.a : next_o, b < bound ? o.b : next_o};
    }
    return {fma(v.a - high, s.a, o.a), fma(v.b - high, s.b, o.b)};
  }
};

template <typename T, Activation A>
class Contiguous {
 public:
  explicit Contiguous(const Forward& call)
      : call_(call), p_(call.problem), D_(p_.channels()), P_(p_.P), elements_(p_.elements()),
        x_(static_cast<const T*>(call.x)), y_(static_cast<T*>(call.y)), spread_(P_ < kShort), streams_(call.streams),
        batch_(most(1, least(kBatch, kBatchElements / elements_))),
        ahead_(fetches<T, A>(p_.N * p_.C * P_) && elements_ <= kChunk ? batch_ * elements_ : 0),
        room_(2 * p_.C * (spread_ ? P_ + 1 : 1)), weight_(floats_of(call.weight, p_.C, 1.0f, &room_[0])),
        bias_(floats_of(call.bias, p_.C, 0.0f, &room_[p_.C])) {
    if (!spread_ || P_ == 1) return;
    weight_ = spread_along(weight_, &room_[2 * p_.C]);
    bias_ = spread_along(bias_, &room_[(2 + P_) * p_.C]);
  }

  void run() {
    const int64_t groups = p_.N * p_.G, first = alone(p_.pool, groups, elements_ * sizeof(T));
    parallel(p_.pool, first, ceil_of(kGrain, elements_), [&](int64_t begin, int64_t end) {
      for (int64_t group = begin; group < end; group += batch_) by_itself(group, least(batch_, end - group));
      if (streams_) end_stream();
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

  // Small groups by batches, the divisions and the root of several in one vector: one after the other a group of 64
  // elements took 95 cycles.
  void finish_small(int64_t group, int64_t count, Normal* normals) const {
    const double elements = static_cast<double>(elements_), eps = call_.eps;
    float shift[kBatch] = {};
    double first[kBatch] = {}, second[kBatch] = {}, mean[kBatch], m2[kBatch], variance[kBatch], rstd[kBatch];
    const T* x = x_ + group * elements_;
    for (int64_t i = 0; i < count; ++i) {
      shift[i] = first_shift(x + i * elements_, elements_);
      const Sums sums = sums_of_tile(x + i * elements_, elements_, shift[i]);
      first[i] = sums.first, second[i] = sums.second;
    }
    for (int64_t i = 0; i < kBatch; ++i) {  // as moments_of; whole vectors, whatever the count
      const double rest = first[i] / elements, left = second[i] - first[i] * rest;
      m2[i] = left > 0 ? left : 0 * left;
      mean[i] = shift[i] + rest;
      variance[i] = m2[i] / elements;
      rstd[i] = 1.0 / std::sqrt(variance[i] + eps);
    }
    for (int64_t i = 0; i < count; ++i) {
      if (second[i] > 4 * m2[i] || is_beyond_float(variance[i], eps)) {
        normals[i] = finish(group + i, moments_of_run(x + i * elements_, elements_));
      } else {
        normals[i] = Normal(mean[i], rstd[i]);
        if (call_.statistics) write(call_.statistics + 3 * (group + i), normals[i]);
      }
    }
  }

  void by_itself(int64_t group, int64_t count) const {
    Normal normals[kBatch];
    if (batch_ > 1) finish_small(group, count, normals);
    else normals[0] = finish(group, moments_of_run(x_ + group * elements_, elements_));
    const Writing writing{streams_, ahead_};
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = ceil_of(elements_, kChunk) - 1; j >= 0; --j) apply_chunk(group + i, j, normals[i], writing);
    }
  }

  // Chunks backwards: what was read last for the moments is still in the cache.
  void apply_chunk(int64_t group, int64_t index, const Normal& n, Writing writing) const {
    const int64_t begin = index * kChunk, end = least(begin + kChunk, elements_), c = group % p_.G * D_;
    const T* x = x_ + group * elements_;
    T* y = y_ + group * elements_;
    if (spread_) {
      const int64_t at = c * P_ + begin;
      return apply<T, A>(x + begin, y + begin, end - begin, Spread{n, weight_ + at, bias_ + at}, writing);
    }
    if (P_ >= kBlock && P_ < kLong) return apply_straddling(x + begin, y + begin, begin, end, c, n, writing);
    for (int64_t i = begin, d = begin / P_; i < end; ++d) {
      const int64_t stop = least((d + 1) * P_, end);
      const float weight = weight_[c + d];
      const Uniform map{splat(n.high), splat(n.scale(weight)), splat(n.offset(weight, bias_[c + d]))};
      apply<T, A>(x + i, y + i, stop - i, map, writing);
      i = stop;
    }
  }

  void apply_straddling(const T* x, T* y, int64_t begin, int64_t end, int64_t c, const Normal& n,
                        Writing writing) const {
    constexpr int64_t kMost = kChunk / kBlock + 3;  // channels of a chunk, and one that a last block may ask for
    float scale[kMost], offset[kMost];
    const int64_t first = begin / P_, channels = ceil_of(end, P_) - first;
    for (int64_t d = 0; d < channels; ++d) {
      scale[d] = n.scale(weight_[c + first + d]);
      offset[d] = n.offset(weight_[c + first + d], bias_[c + first + d]);
    }
    scale[channels] = offset[channels] = 0;
    apply<T, A>(x, y, end - begin, Straddling{n.high, scale, offset, P_, (first + 1) * P_ - begin}, writing);
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
      for (int64_t i = end - 1; i >= begin; --i) apply_chunk(group, i, normal, {streams_, 0});
      if (streams_) end_stream();
    });
  }

  const Forward& call_;
  const Problem& p_;
  const int64_t D_, P_, elements_;
  const T* x_;
  T* y_;
  const bool spread_, streams_;
  const int64_t batch_, ahead_;  // groups taken at once; what is fetched while these are written is the next
  Room<float> room_;
  const float *weight_, *bias_;
};

}  // namespace groupnorm::LEVEL
