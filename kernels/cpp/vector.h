// Vectors of float32 of one instruction set, loaded from and stored to float32, float16 and bfloat16.
//
// This and whatever includes it is compiled once for each level, inside a namespace of the level's name, so that no
// function of one level can be linked into another. LEVEL is a compile flag. Only here do levels differ.
//
// Every type is rounded to nearest, ties to even, and keeps its subnormals: AVX-512's own conversion to bfloat16
// flushes them, and 6 operations for 32 values are not what a pass over memory waits for.

#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "problem.h"

namespace groupnorm::LEVEL {

#if defined(__AVX512F__)
constexpr int64_t kWidth = 16;
#elif defined(__AVX2__)
constexpr int64_t kWidth = 8;
#else
constexpr int64_t kWidth = 4;
#endif
constexpr int64_t kBlock = 2 * kWidth;  // elements a load or store moves, whatever their type

using F = float __attribute__((vector_size(4 * kWidth), may_alias));
using U = uint32_t __attribute__((vector_size(4 * kWidth), may_alias));
using I = int32_t __attribute__((vector_size(4 * kWidth), may_alias));

// Left to itself GCC calls these, through memory: silu took 1.35 of the time.
#define GROUPNORM_INLINE [[gnu::always_inline]] inline

struct Half { uint16_t bits; };
struct BFloat16 { uint16_t bits; };

struct Two { F a, b; };  // a block, in order: a holds its first half

#if defined(__AVX512F__)
GROUPNORM_INLINE F splat(float value) { return _mm512_set1_ps(value); }
#elif defined(__AVX2__)
GROUPNORM_INLINE F splat(float value) { return _mm256_set1_ps(value); }
#else
GROUPNORM_INLINE F splat(float value) { return F{value, value, value, value}; }
#endif

template <typename V>
GROUPNORM_INLINE V load_raw(const void* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

GROUPNORM_INLINE F lanes() {  // 0, 1, 2, ...
  F v;
  for (int64_t i = 0; i < kWidth; ++i) v[i] = static_cast<float>(i);
  return v;
}

// Zero in every lane from `count` on.
GROUPNORM_INLINE F keep(F v, int64_t count) { return lanes() < static_cast<float>(count) ? v : F{}; }
GROUPNORM_INLINE Two keep(Two v, int64_t count) { return {keep(v.a, count), keep(v.b, count - kWidth)}; }

GROUPNORM_INLINE F fma(F a, F b, F c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

// By halves, so that the sum of equal values is exact.
GROUPNORM_INLINE float total(F v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(v);
#else
  float part[kWidth];
  std::memcpy(part, &v, sizeof v);
  for (int64_t half = kWidth / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) part[i] += part[i + half];
  }
  return part[0];
#endif
}

// ---- bfloat16 and float16, a block at once ----

// A NaN stays one unless its 15 last bits are set, which only a float32 parameter could bring: see floats_of.
GROUPNORM_INLINE U round_to_bf16(F v) {  // in the upper 16 bits of each lane; the lower are rubbish
  const U bits = (U)v;
  return bits + 0x7FFFu + ((bits >> 16) & 1u);
}

#if defined(__AVX512F__)

// One word permutation puts 16 values into the upper halves of 16 lanes, another takes 32 out of them again.
GROUPNORM_INLINE __m512i places(int first, int step) {
  alignas(64) uint16_t place[32];
  for (int i = 0; i < 32; ++i) place[i] = static_cast<uint16_t>(first + i / step);
  return _mm512_load_si512(place);
}

GROUPNORM_INLINE Two widen_bf16(__m512i v) {
  const __m512i low = _mm512_maskz_permutexvar_epi16(0xAAAAAAAAu, places(0, 2), v);
  const __m512i high = _mm512_maskz_permutexvar_epi16(0xAAAAAAAAu, places(16, 2), v);
  return {(F)low, (F)high};
}

// As above by 5 operations for 32 values: up where the lower half is more than one half, or one half of an odd number.
GROUPNORM_INLINE __m512i narrow_bf16(Two v) {
  const auto halves = [&](int first) {
    alignas(64) uint16_t place[32];
    for (int i = 0; i < 32; ++i) place[i] = static_cast<uint16_t>(2 * i + first);
    return _mm512_permutex2var_epi16((__m512i)v.a, _mm512_load_si512(place), (__m512i)v.b);
  };
  const __m512i low = halves(0), high = halves(1);
  // 0x8001 - (high & 1), as 0x8000 | (~high & 1).
  const __m512i least = _mm512_ternarylogic_epi32(high, _mm512_set1_epi16(-0x8000), _mm512_set1_epi16(1), 0xCE);
  const __mmask32 up = _mm512_cmpge_epu16_mask(low, least);
  return _mm512_mask_sub_epi16(high, up, high, _mm512_set1_epi16(-1));
}

GROUPNORM_INLINE Two widen_f16(__m512i v) {
  return {_mm512_cvtph_ps(_mm512_castsi512_si256(v)), _mm512_cvtph_ps(_mm512_extracti64x4_epi64(v, 1))};
}

GROUPNORM_INLINE __m512i narrow_f16(Two v) {
  const __m256i a = _mm512_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256i b = _mm512_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}

using Words = __m512i;

#elif defined(__AVX2__)

GROUPNORM_INLINE Two widen_bf16(__m256i v) {
  const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(v));
  const __m256i high = _mm256_cvtepu16_epi32(_mm256_extracti128_si256(v, 1));
  return {(F)_mm256_slli_epi32(low, 16), (F)_mm256_slli_epi32(high, 16)};
}

GROUPNORM_INLINE __m256i narrow_bf16(Two v) {
  const __m256i a = (__m256i)(round_to_bf16(v.a) >> 16), b = (__m256i)(round_to_bf16(v.b) >> 16);
  return _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xD8);  // packing goes by halves: put them in order
}

GROUPNORM_INLINE Two widen_f16(__m256i v) {
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(v)), _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1))};
}

GROUPNORM_INLINE __m256i narrow_f16(Two v) {
  const __m128i a = _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT);
  const __m128i b = _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT);
  return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
}

using Words = __m256i;

#else

using Words = uint16_t __attribute__((vector_size(4 * kWidth), may_alias));

GROUPNORM_INLINE U low_words(Words v) {
  return U{v[0], v[1], v[2], v[3]};
}
GROUPNORM_INLINE U high_words(Words v) {
  return U{v[4], v[5], v[6], v[7]};
}
GROUPNORM_INLINE Words words(U a, U b) {
  Words v;
  for (int i = 0; i < 4; ++i) v[i] = static_cast<uint16_t>(a[i]), v[i + 4] = static_cast<uint16_t>(b[i]);
  return v;
}

GROUPNORM_INLINE Two widen_bf16(Words v) { return {(F)(low_words(v) << 16), (F)(high_words(v) << 16)}; }
GROUPNORM_INLINE Words narrow_bf16(Two v) { return words(round_to_bf16(v.a) >> 16, round_to_bf16(v.b) >> 16); }

GROUPNORM_INLINE F float_of_half(U half) {
  const U magnitude = half & 0x7FFFu;
  const F scaled = (F)(magnitude << 13) * 0x1p112f;  // exact, subnormals too: the exponents' bias is moved
  const U bits = magnitude >= 0x7C00u ? (magnitude << 13) | 0x7F800000u : (U)scaled;
  return (F)(bits | (half & 0x8000u) << 16);
}

GROUPNORM_INLINE U half_of_float(F v) {
  const U magnitude = (U)v & 0x7FFFFFFFu, sign = ((U)v >> 16) & 0x8000u;
  const U normal = (magnitude - (112u << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
  // Adding 1/2, whose last bit weighs what a half's least subnormal does, lets the addition round.
  const U subnormal = (U)((F)magnitude + 0.5f) - 0x3F000000u;
  const U finite = magnitude < 0x38800000u ? subnormal : normal;
  const U special = magnitude > 0x7F800000u ? U{} + 0x7E00u : U{} + 0x7C00u;
  return sign | (magnitude >= 0x47800000u ? special : finite);
}

GROUPNORM_INLINE Two widen_f16(Words v) { return {float_of_half(low_words(v)), float_of_half(high_words(v))}; }
GROUPNORM_INLINE Words narrow_f16(Two v) { return words(half_of_float(v.a), half_of_float(v.b)); }

#endif

template <typename T>
GROUPNORM_INLINE Two widen(Words v) {
  if constexpr (std::is_same_v<T, BFloat16>) return widen_bf16(v);
  else return widen_f16(v);
}

template <typename T>
GROUPNORM_INLINE Words narrow(Two v) {
  if constexpr (std::is_same_v<T, BFloat16>) return narrow_bf16(v);
  else return narrow_f16(v);
}

// ---- Memory: a whole block, or its first `count` elements, the rest read as zero and not written ----

template <typename T>
GROUPNORM_INLINE Two load(const T* from) {
  if constexpr (std::is_same_v<T, float>) return {load_raw<F>(from), load_raw<F>(from + kWidth)};
  else return widen<T>(load_raw<Words>(from));
}

template <typename T>
GROUPNORM_INLINE void store(T* to, Two v) {
  if constexpr (std::is_same_v<T, float>) {
    std::memcpy(to, &v.a, sizeof v.a), std::memcpy(to + kWidth, &v.b, sizeof v.b);  // as one, also to the stack
  } else {
    const Words w = narrow<T>(v);
    std::memcpy(to, &w, sizeof w);
  }
}

// Past the caches, to a whole cache line's address; where there is no such store, as any other.
template <typename T>
GROUPNORM_INLINE void stream(T* to, Two v) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>) {
    _mm512_stream_ps(to, v.a), _mm512_stream_ps(to + kWidth, v.b);
  } else {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), narrow<T>(v));
  }
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>) {
    _mm256_stream_ps(to, v.a), _mm256_stream_ps(to + kWidth, v.b);
  } else {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), narrow<T>(v));
  }
#else
  store(to, v);
#endif
}

// What was streamed is seen by other threads after this.
GROUPNORM_INLINE void end_stream() {
#if defined(__AVX2__)
  _mm_sfence();
#endif
}

constexpr int64_t kLine = 64;  // bytes

// May lie beyond the memory's end: nothing happens there.
template <typename T>
GROUPNORM_INLINE void prefetch_block(const T* from) {
  for (int64_t byte = 0; byte < kBlock * static_cast<int64_t>(sizeof(T)); byte += kLine) {
    __builtin_prefetch(reinterpret_cast<const char*>(from) + byte, 0, 2);
  }
}

#if defined(__AVX512F__)
GROUPNORM_INLINE uint32_t mask_of(int64_t count) { return count >= 32 ? ~0u : (1u << count) - 1u; }
#endif

template <typename T>
GROUPNORM_INLINE Two load(const T* from, int64_t count) {
#if defined(__AVX512F__)
  const uint32_t mask = mask_of(count);
  if constexpr (std::is_same_v<T, float>) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from),
            _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), from + kWidth)};
  } else {
    return widen<T>(_mm512_maskz_loadu_epi16(mask, from));
  }
#else
  T room[kBlock] = {};
  std::memcpy(room, from, count * sizeof(T));
  return load(room);
#endif
}

template <typename T>
GROUPNORM_INLINE void store(T* to, Two v, int64_t count) {
#if defined(__AVX512F__)
  const uint32_t mask = mask_of(count);
  if constexpr (std::is_same_v<T, float>) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), v.a);
    _mm512_mask_storeu_ps(to + kWidth, static_cast<__mmask16>(mask >> 16), v.b);
  } else {
    _mm512_mask_storeu_epi16(to, mask, narrow<T>(v));
  }
#else
  T room[kBlock];
  store(room, v);
  std::memcpy(to, room, count * sizeof(T));
#endif
}

// ---- Activations ----
//
// All by several vectors at once, one step for each of them before the next: a scheduler holds some 170 operations and a
// sigmoid is a chain of 60 cycles, so one vector after the other took twice the time (bfloat16, 20 cycles a vector to 9).

GROUPNORM_INLINE F at_most(F v, float bound) {  // the bound for a NaN
#if defined(__AVX512F__)
  return _mm512_maskz_min_ps(0xFFFF, v, splat(bound));
#elif defined(__AVX2__)
  return _mm256_min_ps(v, splat(bound));
#else
  return v < bound ? v : splat(bound);
#endif
}

constexpr float kLog2e = 1.44269504f;

#if defined(__AVX2__)

// The bits of 2^(i/kWidth), less what adding i/kWidth to the exponent's place adds; and 2^t for |t| <= 1/(2 kWidth),
// least relative error (Lawson's iteration): of a sixteenth 1.6e-9 by degree 3, 4.3e-7 by degree 2.
#if defined(__AVX512F__)
alignas(64) inline constexpr uint32_t kPowers[16] = {
    0x3F800000u, 0x3F7DAAC3u, 0x3F7B95C2u, 0x3F79C3D3u, 0x3F7837F0u, 0x3F76F532u, 0x3F75FED7u, 0x3F75583Fu,
    0x3F7504F3u, 0x3F7508A4u, 0x3F75672Au, 0x3F76248Cu, 0x3F7744FDu, 0x3F78CCDFu, 0x3F7AC0C7u, 0x3F7D257Du};
inline constexpr float kPower3[] = {0x1.c6ac6ap-5f, 0x1.ebfff4p-3f, 0x1.62e430p-1f, 1};
inline constexpr float kPower2[] = {0x1.ebfbd8p-3f, 0x1.62e980p-1f, 1};
GROUPNORM_INLINE U permute(U table, U places) {
  return (U)_mm512_maskz_permutexvar_epi32(0xFFFF, (__m512i)places, (__m512i)table);
}
#else
alignas(32) inline constexpr uint32_t kPowers[8] = {0x3F800000u, 0x3F7B95C2u, 0x3F7837F0u, 0x3F75FED7u,
                                                    0x3F7504F3u, 0x3F75672Au, 0x3F7744FDu, 0x3F7AC0C7u};
inline constexpr float kPower3[] = {0x1.c6a004p-5f, 0x1.ec0c32p-3f, 0x1.62e432p-1f, 1};  // 2.7e-8
inline constexpr float kPower2[] = {0x1.ebfb8cp-3f, 0x1.62f962p-1f, 1};                  // 3.4e-6
GROUPNORM_INLINE U permute(U table, U places) {
  return (U)_mm256_permutevar8x32_epi32((__m256i)table, (__m256i)places);
}
#endif

// p = 1 + exp(-v) for K vectors, v >= -87; below it some number or none, and of a NaN a number.
// The sum's last bits are the place in the table. With a division behind it, not Newton's step, 5.0 cycles a vector of
// bfloat16; 8.2 by a polynomial of degree 4 (Zen 5).
template <int kDegree, int K>
GROUPNORM_INLINE void one_and_exp(const F (&v)[K], F (&p)[K]) {
  constexpr float kRound = 12582912.0f / kWidth;  // adding 1.5 * 2^23 rounds to whole numbers, this to the table's
  constexpr int kShift = kWidth == 16 ? 19 : 20;
  constexpr int kTerms = kDegree == 5 ? 3 : 2;
  constexpr const float* coefficients = kDegree == 5 ? kPower3 : kPower2;
  const U table = load_raw<U>(kPowers);
  F t[K];
  U sum[K];
  for (int k = 0; k < K; ++k) t[k] = at_most(v[k], 87.0f);
  for (int k = 0; k < K; ++k) sum[k] = (U)fma(t[k], splat(-kLog2e), splat(kRound));
  for (int k = 0; k < K; ++k) t[k] = fma(t[k], splat(-kLog2e), kRound - (F)sum[k]);
  for (int k = 0; k < K; ++k) p[k] = fma(t[k], splat(coefficients[0]), splat(coefficients[1]));
#pragma GCC unroll 4
  for (int i = 2; i <= kTerms; ++i) {
    for (int k = 0; k < K; ++k) p[k] = fma(p[k], t[k], splat(coefficients[i]));
  }
  for (int k = 0; k < K; ++k) {
    p[k] = fma((F)(permute(table, sum[k]) + (sum[k] << kShift)), p[k], splat(1.0f));
  }
}

#else

// 2^f for |f| <= 1/2, least relative error (Lawson's iteration): 1.1e-7 by degree 5, 2.8e-6 by degree 4.
inline constexpr float kPower5[] = {0x1.5bba14p-10f, 0x1.3cea88p-7f, 0x1.c6b752p-5f, 0x1.ebf9bcp-3f, 0x1.62e42ap-1f, 1};
inline constexpr float kPower4[] = {0x1.3a02ccp-7f, 0x1.c9fc46p-5f, 0x1.ec0378p-3f, 0x1.62e12cp-1f, 1};

// p = 1 + exp(-v) for K vectors, v >= -87; below it and of a NaN some number.
template <int kDegree, int K>
GROUPNORM_INLINE void one_and_exp(const F (&v)[K], F (&p)[K]) {
  constexpr float kRound = 12582912.0f;  // adding 1.5 * 2^23 rounds to a whole number
  constexpr const float* coefficients = kDegree == 5 ? kPower5 : kPower4;
  F t[K], n[K];
  for (int k = 0; k < K; ++k) t[k] = at_most(v[k], 87.0f);
  for (int k = 0; k < K; ++k) t[k] = t[k] > -87.0f ? t[k] : splat(-87.0f);
  for (int k = 0; k < K; ++k) n[k] = fma(t[k], splat(-kLog2e), splat(kRound)) - kRound;
  for (int k = 0; k < K; ++k) t[k] = fma(t[k], splat(-kLog2e), -n[k]);
  for (int k = 0; k < K; ++k) p[k] = fma(t[k], splat(coefficients[0]), splat(coefficients[1]));
#pragma GCC unroll 4
  for (int i = 2; i <= kDegree; ++i) {
    for (int k = 0; k < K; ++k) p[k] = fma(p[k], t[k], splat(coefficients[i]));
  }
  for (int k = 0; k < K; ++k) p[k] = (F)((U)p[k] + (U)(__builtin_convertvector(n[k], I) << 23)) + 1.0f;
}

#endif

// s = 1 / (1 + exp(-v)) for K vectors; 0 below -87, where it is 1.6e-38 and less; of a NaN some number.
// kDegree 5 serves float32 and float16; of bfloat16 4 rounds 4 in 10,000 otherwise.
template <int kDegree, int K>
GROUPNORM_INLINE void sigmoid(const F (&v)[K], F (&s)[K]) {
  F p[K];
  one_and_exp<kDegree>(v, p);
  for (int k = 0; k < K; ++k) s[k] = v[k] < -87.0f ? F{} : 1.0f / p[k];
}

template <typename T>
constexpr int kDegreeFor = std::is_same_v<T, BFloat16> ? 4 : 5;

template <Activation A, int kDegree, int K>
GROUPNORM_INLINE void activate(F (&v)[K]) {
  if constexpr (A == Activation::silu) {
    F p[K];
    one_and_exp<kDegree>(v, p);
    for (int k = 0; k < K; ++k) v[k] = v[k] < -87.0f ? F{} : v[k] / p[k];
  } else if constexpr (A == Activation::relu) {
    for (int k = 0; k < K; ++k) v[k] = v[k] < 0.0f ? F{} : v[k];  // a NaN stays
  }
}

// ---- What loops share ----

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t ceil_of(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t padded(int64_t count) { return ceil_of(count, kBlock) * kBlock; }

// Memory of one call, whole cache lines, not cleared.
template <typename T>
class Room {
 public:
  explicit Room(int64_t count)
      : data_(static_cast<T*>(::operator new(sizeof(T) * (count > 0 ? count : 1), std::align_val_t{64}))) {}
  ~Room() { ::operator delete(data_, std::align_val_t{64}); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }

 private:
  T* data_;
};

// work(begin, end) over parts of [0, count), a thread for each `grain` of them.
template <typename Work>
void parallel(const Pool& pool, int64_t count, int64_t grain, const Work& work) {
  if (pool.threads == 1 || count <= most(grain, 1)) {
    if (count > 0) work(int64_t{0}, count);
    return;
  }
  const auto call = [](int64_t begin, int64_t end, void* context) {
    (*static_cast<const Work*>(context))(begin, end);
  };
  pool.run(count, most(grain, 1), call, const_cast<void*>(static_cast<const void*>(&work)));
}

// A parameter as C floats in `room`, `otherwise` where it is not given, every NaN the usual one.
inline const float* floats_of(const Parameter& from, int64_t C, float otherwise, float* room) {
  for (int64_t c = 0; c < C; c += kBlock) {
    const int64_t count = least(kBlock, C - c);
    Two v{splat(otherwise), splat(otherwise)};
    if (from.data && from.type == Type::f32) v = load(static_cast<const float*>(from.data) + c, count);
    if (from.data && from.type == Type::f16) v = load(static_cast<const Half*>(from.data) + c, count);
    if (from.data && from.type == Type::bf16) v = load(static_cast<const BFloat16*>(from.data) + c, count);
    const F nan = splat(__builtin_nanf(""));
    store(room + c, Two{v.a == v.a ? v.a : nan, v.b == v.b ? v.b : nan}, count);
  }
  return room;
}

}  // namespace groupnorm::LEVEL
