// Arithmetic by intrinsics.
#pragma once

#include "cuda_on_cpu.h"

namespace cuda_on_cpu {

// What was rounded stays rounded: the compiler may not join it with what follows.
template <typename T>
T rounded(T v) {
  asm("" : "+m"(v));
  return v;
}

template <typename To, typename From>
CUDA_ON_CPU_UNWATCHED To bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "as many bits");
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

}  // namespace cuda_on_cpu

inline float __fadd_rn(float a, float b) { return cuda_on_cpu::rounded(a + b); }
inline float __fsub_rn(float a, float b) { return cuda_on_cpu::rounded(a - b); }
inline float __fmul_rn(float a, float b) { return cuda_on_cpu::rounded(a * b); }
inline float __fdiv_rn(float a, float b) { return cuda_on_cpu::rounded(a / b); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __frcp_rn(float v) { return cuda_on_cpu::rounded(1.0f / v); }
inline float __fsqrt_rn(float v) { return cuda_on_cpu::rounded(std::sqrt(v)); }
inline float __frsqrt_rn(float v) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(v))); }
inline double __dadd_rn(double a, double b) { return cuda_on_cpu::rounded(a + b); }
inline double __dsub_rn(double a, double b) { return cuda_on_cpu::rounded(a - b); }
inline double __dmul_rn(double a, double b) { return cuda_on_cpu::rounded(a * b); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float rsqrtf(float v) { return __frsqrt_rn(v); }
inline double rsqrt(double v) { return 1.0 / std::sqrt(v); }
inline float __expf(float v) { return expf(v); }
inline float __logf(float v) { return logf(v); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __saturatef(float v) { return v > 0.0f ? (v < 1.0f ? v : 1.0f) : 0.0f; }
inline int __float_as_int(float v) { return cuda_on_cpu::bits<int>(v); }
inline unsigned __float_as_uint(float v) { return cuda_on_cpu::bits<unsigned>(v); }
inline float __int_as_float(int v) { return cuda_on_cpu::bits<float>(v); }
inline float __uint_as_float(unsigned v) { return cuda_on_cpu::bits<float>(v); }
inline long long __double_as_longlong(double v) { return cuda_on_cpu::bits<long long>(v); }
inline double __longlong_as_double(long long v) { return cuda_on_cpu::bits<double>(v); }
inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __clz(int v) { return v == 0 ? 32 : __builtin_clz(static_cast<unsigned>(v)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((1ULL * a * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
template <typename A, typename B>
constexpr typename std::common_type<A, B>::type min(A a, B b) {
  using T = typename std::common_type<A, B>::type;
  if constexpr (std::is_floating_point<T>::value) return std::fmin(static_cast<T>(a), static_cast<T>(b));
  return static_cast<T>(b) < static_cast<T>(a) ? static_cast<T>(b) : static_cast<T>(a);
}
template <typename A, typename B>
constexpr typename std::common_type<A, B>::type max(A a, B b) {
  using T = typename std::common_type<A, B>::type;
  if constexpr (std::is_floating_point<T>::value) return std::fmax(static_cast<T>(a), static_cast<T>(b));
  return static_cast<T>(a) < static_cast<T>(b) ? static_cast<T>(b) : static_cast<T>(a);
}
