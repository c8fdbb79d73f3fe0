// GroupNorm backward on the CPU: what is asked, and the arithmetic that every layout shares.
//
// With d = x - high, xhat = (d - low) * rstd, pre = xhat * w + b and g = dy * activation'(pre):
//   dbias = sum g, dweight = sum g * xhat        (over samples and positions of a channel)
//   A = sum w * g, B = sum w * g * xhat           (over a group of m elements)
//   dx = rstd * (w * g - A / m - xhat * B / m) = g * slope + (d * by_d + by_one)
// What does not depend on the element is put together in double: low never costs an operation, and rstd none but in
// slope = rstd * w. Sums are of g and of g * d, about the mean, so a large mean costs no digit; they are float32 for 8
// additions in a row, 8 of those are added up, and from there they are double, in an order that the shape alone gives.
// What is beyond float32 is done again in double, a group at a time: where a sum is not finite (x or dy near 1e38), and
// where rstd * rstd could leave the range.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "backward_share.h"
#include "vector.h"

namespace groupnorm::LEVEL::gradient {

constexpr int64_t kSmall = 32768;      // elements of small groups or samples that are taken at once
constexpr int64_t kBig = 65536;        // elements of a group or sample that threads may share
constexpr int64_t kHeld = 12 << 20;    // bytes of x and dy that all threads together may hope to find in L3 again

struct Gradients {
  int64_t N, C, P, G;  // P: positions, the product of the sizes after C
  bool is_channels_last;
  Pool pool;
  const void *dy, *x;
  void* dx;                            // none where unwanted
  const float *statistics;             // (N, G, 3): mean high, mean low, rstd
  const float *weight, *bias;          // (C)
  double *dweight, *dbias;             // (C), both or none
  bool streams;                        // dx is written past the caches

  int64_t D() const { return C / G; }
};

// ---- A block in whatever order is cheapest: of bfloat16, its even elements and its odd ones ----
//
// In order, 32 of them cost two permutations to load and one to store; so, two shifts and two masks. No NaN is told
// from the rest when stored: where one could come up, a group is done again in double.

template <typename T>
inline constexpr bool is_split = std::is_same_v<T, BFloat16>;

GROUPNORM_INLINE Two split(U words) { return {(F)(words << 16), (F)(words & 0xFFFF0000u)}; }

GROUPNORM_INLINE U nearest(F v) {
  const U bits = (U)v;
  return bits + ((bits & 0x10000u) != 0 ? U{} + 0x8000u : U{} + 0x7FFFu);  // ties to even
}

GROUPNORM_INLINE U joined(Two v) { return (nearest(v.a) >> 16) | (nearest(v.b) & 0xFFFF0000u); }

template <typename T>
GROUPNORM_INLINE Two take(const T* from) {
  if constexpr (is_split<T>) return split(load_raw<U>(from));
  else return load(from);
}

template <typename T>
GROUPNORM_INLINE void give(T* to, Two v) {
  if constexpr (is_split<T>) {
    const U words = joined(v);
    std::memcpy(to, &words, sizeof words);
  } else {
    store(to, v);
  }
}

// The first `count` elements, the rest 0 and not written.
template <typename T>
GROUPNORM_INLINE Two take(const T* from, int64_t count) {
  if constexpr (is_split<T>) {
#if defined(__AVX512F__)
    return split((U)_mm512_maskz_loadu_epi16(mask_of(count), from));
#else
    T room[kBlock] = {};
    std::memcpy(room, from, count * sizeof(T));
    return take(room);
#endif
  } else {
    return load(from, count);
  }
}

template <typename T>
GROUPNORM_INLINE void give(T* to, Two v, int64_t count) {
  if constexpr (is_split<T>) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_epi16(to, mask_of(count), (__m512i)joined(v));
#else
    T room[kBlock];
    give(room, v);
    std::memcpy(to, room, count * sizeof(T));
#endif
  } else {
    store(to, v, count);
  }
}

// ---- Past the caches ----

// `to` must be aligned to a vector. As vector.h's, for what is in the order of `split`.
GROUPNORM_INLINE void stream_raw(void* to, F v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(static_cast<float*>(to), v);
#elif defined(__AVX2__)
  _mm256_stream_ps(static_cast<float*>(to), v);
#else
  std::memcpy(to, &v, sizeof v);
#endif
}

template <typename T>
GROUPNORM_INLINE void give_past(T* to, Two v) {
  if constexpr (is_split<T>) stream_raw(to, (F)joined(v));
  else LEVEL::stream(to, v);
}

// Elements before the first whole cache line.
template <typename T>
inline int64_t before_line(const T* to) {
  return (64 - reinterpret_cast<uintptr_t>(to) % 64) % 64 / static_cast<int64_t>(sizeof(T));
}

// Where element i of a row of blocks lies in a row of floats that goes with blocks of T.
template <typename T>
GROUPNORM_INLINE int64_t place_of(int64_t i) {
  if constexpr (is_split<T>) return i / kBlock * kBlock + i % 2 * kWidth + i % kBlock / 2;
  else return i;
}

// ---- The activation's slope ----

// K vectors of dy to as many of g, in place.
template <typename T, Activation A, int K>
GROUPNORM_INLINE void through_activation(F (&dy)[K], const F (&pre)[K]) {
  if constexpr (A == Activation::silu) {
    F s[K];
    sigmoid<kDegreeFor<T>>(pre, s);
    for (int k = 0; k < K; ++k) dy[k] *= s[k] * fma(pre[k], 1.0f - s[k], splat(1.0f));
  } else if constexpr (A == Activation::relu) {
    for (int k = 0; k < K; ++k) dy[k] = pre[k] <= 0.0f ? F{} : dy[k];  // of a NaN it passes, as torch's does
  }
}

template <Activation A>
inline double through_activation(double dy, double pre) {
  if constexpr (A == Activation::silu) {
    const double s = 1.0 / (1.0 + std::exp(-pre));
    return dy * (s * (1.0 + pre * (1.0 - s)));
  }
  if constexpr (A == Activation::relu) return pre <= 0.0 ? 0.0 : dy;
  return dy;
}

// ---- A group's figures ----

struct Sums {
  double g = 0, gx = 0;  // of g; of g * d, and from `normalized` on of g * xhat
  void add(Sums other) { g += other.g, gx += other.gx; }
};

struct Normal {
  float high, low, rstd;

  bool is_ordinary() const { return rstd > 1e-12f && rstd < 1e12f; }
  Sums normalized(Sums s) const { return {s.g, (s.gx - s.g * low) * rstd}; }
  float slope(float w) const { return rstd * w; }
  float offset(float w, float b) const { return static_cast<float>(b - static_cast<double>(low) * rstd * w); }
};

inline Normal as_given(const Gradients& p, int64_t n, int64_t group) {
  const float* s = p.statistics + (n * p.G + group) * 3;
  return {s[0], s[1], s[2]};
}

template <typename T>
inline float value_of(const T& from) { return load(&from, 1).a[0]; }

// `high` by whole steps of the group's first x, the rest in `low`. Without, x - high of like values is rounded alike:
// with half of x at 1e4, half at -1e4 and a mean of 1e-2, sums of g * d erred by 1e-8 of the sum of their magnitudes.
template <typename T>
inline Normal normal_of(const Gradients& p, int64_t n, int64_t group) {
  const Normal s = as_given(p, n, group);
  const int64_t at = n * p.C * p.P + group * p.D() * (p.is_channels_last ? 1 : p.P);
  const float size = std::fmax(std::fabs(value_of(static_cast<const T*>(p.x)[at])), std::fabs(s.high));
  if (!(size < 1e30f && size > 1e-30f)) return s;
  uint32_t bits;
  std::memcpy(&bits, &size, sizeof bits);
  bits &= 0x7F800000u;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  const double rounding = power * 0x1.8p29;  // its last bit is that of a float as large as `power`
  const float high = static_cast<float>((s.high + rounding) - rounding);
  return {high, (s.high - high) + s.low, s.rstd};
}

struct Pull {
  float d, one;
};

// What the whole group adds to dx; of a group that floats cannot hold, and of one whose dx is 0, NaN.
inline Pull pull_of(Sums weighted, const Normal& normal, int64_t elements) {
  if (!normal.is_ordinary() || elements == 1) return {NAN, NAN};
  const double scale = -static_cast<double>(normal.rstd) / static_cast<double>(elements);
  const double d = weighted.gx * scale * normal.rstd;
  return {static_cast<float>(d), static_cast<float>(weighted.g * scale - normal.low * d)};
}

inline bool is_finite(Sums s) { return std::isfinite(s.g) && std::isfinite(s.gx); }
inline bool is_finite(Pull s) { return std::isfinite(s.d) && std::isfinite(s.one); }

// ---- In double, element by element ----

template <typename T>
inline void put(T* to, float value) { store(to, Two{splat(value), F{}}, 1); }

// One channel of one sample: P values from `at`, `stride` elements apart.
template <typename T, Activation A>
struct Exactly {
  const T *dy, *x;
  double mean, rstd, w, b;
  int64_t stride;

  Exactly(const Gradients& p, int64_t n, int64_t c) {
    const Normal s = as_given(p, n, c / p.D());
    mean = static_cast<double>(s.high) + s.low, rstd = s.rstd, w = p.weight[c], b = p.bias[c];
    stride = p.is_channels_last ? p.C : 1;
    const int64_t at = n * p.C * p.P + (p.is_channels_last ? c : c * p.P);
    dy = static_cast<const T*>(p.dy) + at, x = static_cast<const T*>(p.x) + at;
  }

  double xhat(int64_t i) const { return (value_of(x[i * stride]) - mean) * rstd; }
  double g(int64_t i, double xhat) const {
    return through_activation<A>(static_cast<double>(value_of(dy[i * stride])), xhat * w + b);
  }

  Sums sums(int64_t P) const {
    Sums s;
    for (int64_t i = 0; i < P; ++i) {
      const double v = xhat(i), gradient = g(i, v);
      s.add({gradient, gradient * v});
    }
    return s;
  }
};

template <typename T, Activation A>
void group_exactly(const Gradients& p, int64_t n, int64_t group) {
  const int64_t D = p.D();
  const double m = static_cast<double>(D * p.P);
  Sums all;
  for (int64_t c = group * D; c < (group + 1) * D; ++c) {
    const Sums s = Exactly<T, A>(p, n, c).sums(p.P);
    all.add({s.g * p.weight[c], s.gx * p.weight[c]});
  }
  for (int64_t c = group * D; c < (group + 1) * D; ++c) {
    const Exactly<T, A> channel(p, n, c);
    T* dx = static_cast<T*>(p.dx) + (channel.x - static_cast<const T*>(p.x));
    for (int64_t i = 0; i < p.P; ++i) {
      const double v = channel.xhat(i);
      const double weighted = channel.g(i, v) * channel.w;
      // Of one element 0, but for what is not finite: fused, the difference would be the product's rounding error.
      const double value = m == 1 ? 0 * (weighted + v) : channel.rstd * (weighted - all.g / m - v * (all.gx / m));
      put(dx + i * channel.stride, static_cast<float>(value));
    }
  }
}

// ---- Over samples ----

// The sums of blocks of samples, for each a row of [2][C]: of g, and of g * xhat. Nothing where they are not wanted.
class BlockSums {
 public:
  BlockSums(const Gradients& p, int64_t blocks) : p_(p), blocks_(p.dweight ? blocks : 0), sums_(blocks_ * 2 * p.C) {
    std::memset(sums_.data(), 0, blocks_ * 2 * p.C * sizeof(double));
  }

  double* g(int64_t block) { return blocks_ ? sums_.data() + block * 2 * p_.C : nullptr; }
  double* gx(int64_t block) { return blocks_ ? sums_.data() + (block * 2 + 1) * p_.C : nullptr; }

  // One after the other into the problem's dweight and dbias.
  void add_up() {
    if (!blocks_) return;
    constexpr int64_t kColumns = 512;
    share(p_.pool, ceil_of(p_.C, kColumns), blocks_ * 2 * least(p_.C, kColumns), Order::forwards,
          [&](int64_t piece, Nothing) { add_up(piece * kColumns, least((piece + 1) * kColumns, p_.C)); });
  }

 private:
  void add_up(int64_t begin, int64_t end) {
    std::memcpy(p_.dbias + begin, g(0) + begin, (end - begin) * sizeof(double));
    std::memcpy(p_.dweight + begin, gx(0) + begin, (end - begin) * sizeof(double));
    for (int64_t block = 1; block < blocks_; ++block) {
      const double *from_g = g(block), *from_gx = gx(block);
      for (int64_t c = begin; c < end; ++c) p_.dbias[c] += from_g[c], p_.dweight[c] += from_gx[c];
    }
  }

  const Gradients& p_;
  const int64_t blocks_;
  Room<double> sums_;
};

}  // namespace groupnorm::LEVEL::gradient
