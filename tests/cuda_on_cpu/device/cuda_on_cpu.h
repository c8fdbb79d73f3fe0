// CUDA C++ for a C++ compiler: the words of the language, the built-in variables and functions that kernels use, and
// the functions of kernels/cuda/device.cuh. What needs other threads is asked of the machine (abi.h).
//
// Left out on purpose, so that a kernel which uses it does not compile: atomics on floating-point numbers, whose order
// decides the bits; __threadfence_block, whose scope is not modelled; `__device__` variables.
#pragma once

// The runtime API is for host code; its header wants more files than the package has.
#define __CUDA_RUNTIME_API_H__
#define __HOST_DEFINES_H__

#define __host__
#define __device__
#define __global__
#define __constant__ const
// One block's at a time: the machine swaps the contents when it turns to another block.
#define __shared__ static
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define __device_builtin__
#define __cudart_builtin__
#define __launch_bounds__(...)
#define CUDARTAPI
#define CUDA_ON_CPU_UNWATCHED __attribute__((no_sanitize("thread")))

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "abi.h"

using std::isfinite;
using std::isinf;
using std::isnan;

// Constant for the thread that reads them: the machine changes them only while another thread runs.
// Not dim3, whose constructor would make the compiler doubt that it is constant and watch each read.
extern "C" const uint3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;

// ---- barriers

inline void __syncthreads() { cuda_on_cpu_block_barrier(VOTE_NONE, 0); }
inline int __syncthreads_count(int predicate) { return cuda_on_cpu_block_barrier(VOTE_COUNT, predicate); }
inline int __syncthreads_or(int predicate) { return cuda_on_cpu_block_barrier(VOTE_OR, predicate); }
inline int __syncthreads_and(int predicate) { return cuda_on_cpu_block_barrier(VOTE_AND, predicate); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { cuda_on_cpu_warp_meet(WARP_SYNC, mask, 0, nullptr, nullptr); }
inline void __threadfence() { cuda_on_cpu_fence(); }
inline void __nanosleep(unsigned) { cuda_on_cpu_yield(); }
[[noreturn]] inline void __trap() {
  cuda_on_cpu_trap();
  __builtin_unreachable();
}

// ---- warps

namespace cuda_on_cpu {

inline unsigned lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32; }

template <typename T>
CUDA_ON_CPU_UNWATCHED T shuffle(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= 16 && std::is_trivially_copyable<T>::value, "a lane hands over 16 bytes at most");
  alignas(16) unsigned char sent[16] = {}, got[16];
  std::memcpy(sent, &value, sizeof(T));
  cuda_on_cpu_warp_meet(WARP_SHUFFLE, mask, source, sent, got);
  std::memcpy(&value, got, sizeof(T));
  return value;
}

CUDA_ON_CPU_UNWATCHED inline unsigned ballot(unsigned mask, int predicate) {
  alignas(16) unsigned char sent[16] = {predicate != 0}, got[16];
  cuda_on_cpu_warp_meet(WARP_BALLOT, mask, 0, sent, got);
  unsigned lanes;
  std::memcpy(&lanes, got, sizeof(lanes));
  return lanes;
}

}  // namespace cuda_on_cpu

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  return cuda_on_cpu::shuffle(mask, value, (cuda_on_cpu::lane() & ~(width - 1)) | (source & (width - 1)));
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int other, int width = 32) {
  const int lane = cuda_on_cpu::lane(), source = lane ^ other;
  return cuda_on_cpu::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = cuda_on_cpu::lane(), source = lane + static_cast<int>(delta);
  return cuda_on_cpu::shuffle(mask, value, source > (lane | (width - 1)) ? lane : source);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = cuda_on_cpu::lane(), source = lane - static_cast<int>(delta);
  return cuda_on_cpu::shuffle(mask, value, source < (lane & ~(width - 1)) ? lane : source);
}
inline unsigned __activemask() { return cuda_on_cpu_warp_lanes(); }
inline unsigned __ballot_sync(unsigned mask, int predicate) { return cuda_on_cpu::ballot(mask, predicate); }
inline int __any_sync(unsigned mask, int predicate) { return cuda_on_cpu::ballot(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) {
  return (cuda_on_cpu::ballot(mask, !predicate)) == 0;
}

// ---- memory

template <typename T>
CUDA_ON_CPU_UNWATCHED T __ldg(const T* address) {
  cuda_on_cpu_read_only(address, sizeof(T));
  return *address;
}
#define CUDA_ON_CPU_LOAD(name)                    \
  template <typename T>                           \
  T name(const T* address) {                      \
    cuda_on_cpu_aligned(address, alignof(T));     \
    return *address;                              \
  }
CUDA_ON_CPU_LOAD(__ldcs)
CUDA_ON_CPU_LOAD(__ldcg)
CUDA_ON_CPU_LOAD(__ldca)
CUDA_ON_CPU_LOAD(__ldlu)
#define CUDA_ON_CPU_STORE(name)                   \
  template <typename T>                           \
  void name(T* address, T value) {                \
    cuda_on_cpu_aligned(address, alignof(T));     \
    *address = value;                             \
  }
CUDA_ON_CPU_STORE(__stcs)
CUDA_ON_CPU_STORE(__stcg)
CUDA_ON_CPU_STORE(__stwb)
CUDA_ON_CPU_STORE(__stwt)

namespace cuda_on_cpu {

template <typename T, typename Change>
CUDA_ON_CPU_UNWATCHED T change(T* address, int order, Change to) {
  static_assert(std::is_integral<T>::value, "an atomic's order would decide a floating-point result");
  cuda_on_cpu_atomic(address, sizeof(T), 1, 1, order);
  const T before = *address;
  *address = to(before);
  return before;
}

template <typename T>
CUDA_ON_CPU_UNWATCHED T load(const T* address, int order) {
  // A thread that looks again and again lets the others come to what it waits for.
  cuda_on_cpu_yield();
  cuda_on_cpu_atomic(address, sizeof(T), 1, 0, order);
  return *address;
}

template <typename T>
CUDA_ON_CPU_UNWATCHED void store(T* address, T value, int order) {
  cuda_on_cpu_atomic(address, sizeof(T), 0, 1, order);
  *address = value;
}

template <typename T>
using Same = typename std::common_type<T>::type;

}  // namespace cuda_on_cpu

template <typename T>
T atomicAdd(T* address, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [v](T before) { return static_cast<T>(before + v); });
}
template <typename T>
T atomicSub(T* address, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [v](T before) { return static_cast<T>(before - v); });
}
template <typename T>
T atomicExch(T* address, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [v](T) { return v; });
}
template <typename T>
T atomicMax(T* address, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [v](T before) { return before < v ? v : before; });
}
template <typename T>
T atomicMin(T* address, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [v](T before) { return v < before ? v : before; });
}
template <typename T>
T atomicOr(T* address, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [v](T before) { return static_cast<T>(before | v); });
}
template <typename T>
T atomicAnd(T* address, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [v](T before) { return static_cast<T>(before & v); });
}
template <typename T>
T atomicCAS(T* address, cuda_on_cpu::Same<T> expected, cuda_on_cpu::Same<T> v) {
  return cuda_on_cpu::change(address, RELAXED, [=](T before) { return before == expected ? v : before; });
}
inline unsigned atomicInc(unsigned* address, unsigned last) {
  return cuda_on_cpu::change(address, RELAXED, [=](unsigned before) { return before >= last ? 0u : before + 1; });
}

// ---- numbers

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

// ---- kernels/cuda/device.cuh

namespace device {

inline unsigned cluster_rank() { return cuda_on_cpu_cluster_rank(); }
inline unsigned cluster_size() { return cuda_on_cpu_cluster_size(); }
inline void cluster_arrive() { cuda_on_cpu_cluster_arrive(); }
inline void cluster_wait() { cuda_on_cpu_cluster_wait(); }
template <typename T>
T* remote(T* s_here, unsigned rank) { return static_cast<T*>(cuda_on_cpu_remote(s_here, rank)); }
inline void store_remote16(float4* s_here, unsigned rank, float4 v) { *remote(s_here, rank) = v; }
inline float4 load_remote16(const float4* s_here, unsigned rank) { return *remote(s_here, rank); }

inline void add_release(unsigned* g, unsigned v) {
  cuda_on_cpu::change(g, RELEASE, [v](unsigned before) { return before + v; });
}
inline unsigned add_acquire_release(unsigned* g, unsigned v) {
  return cuda_on_cpu::change(g, ACQUIRE | RELEASE, [v](unsigned before) { return before + v; });
}
inline unsigned load_acquire(const unsigned* g) { return cuda_on_cpu::load(g, ACQUIRE); }
inline void store_release(unsigned* g, unsigned v) { cuda_on_cpu::store(g, v, RELEASE); }
inline void pause() { cuda_on_cpu_yield(); }

inline float4 load_uncached16(const float4* g) { return __ldcg(g); }
inline uint4 load16(const void* g) { return __ldcs(static_cast<const uint4*>(g)); }
inline uint4 load_again16(const void* g) { return __ldca(static_cast<const uint4*>(g)); }
inline void store16(void* g, uint4 v) { __stwb(static_cast<uint4*>(g), v); }

inline void copy_async16(void* s, const void* g) { cuda_on_cpu_copy(s, g); }
inline void copy_commit() { cuda_on_cpu_copy_commit(); }
inline void copy_wait(int pending) { cuda_on_cpu_copy_wait(pending); }

inline float exp2_approx(float v) { return exp2f(v); }
inline float reciprocal_approx(float v) { return 1.0f / v; }

}  // namespace device

// ---- the table of a module's kernels

namespace cuda_on_cpu {

template <typename... A, std::size_t... i>
void call(void (*kernel)(A...), void** arguments, std::index_sequence<i...>) {
  kernel(*static_cast<std::decay_t<A>*>(arguments[i])...);
}

template <typename>
struct Shape;
template <typename... A>
struct Shape<void (*)(A...)> {
  static constexpr std::size_t count = sizeof...(A);
  static constexpr std::size_t sizes[count + 1] = {sizeof(std::decay_t<A>)..., 0};
};

template <auto kernel>
constexpr CudaOnCpuKernel entry(const char* name) {
  using S = Shape<decltype(kernel)>;
  return {name, [](void** arguments) { call(kernel, arguments, std::make_index_sequence<S::count>()); }, S::sizes, S::count};
}

}  // namespace cuda_on_cpu
