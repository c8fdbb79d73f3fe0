// Loads and stores with a word on caches, and atomics.
#pragma once

#include "cuda_on_cpu.h"

template <typename T>
CUDA_ON_CPU_UNWATCHED T __ldg(const T* address) {
  cuda_on_cpu_read_only(address, sizeof(T));
  return *address;
}
#define CUDA_ON_CPU_LOAD(name)                \
  template <typename T>                       \
  T name(const T* address) {                  \
    cuda_on_cpu_aligned(address, alignof(T)); \
    return *address;                          \
  }
CUDA_ON_CPU_LOAD(__ldcs)
CUDA_ON_CPU_LOAD(__ldcg)
CUDA_ON_CPU_LOAD(__ldca)
CUDA_ON_CPU_LOAD(__ldlu)
#define CUDA_ON_CPU_STORE(name)               \
  template <typename T>                       \
  void name(T* address, T value) {            \
    cuda_on_cpu_aligned(address, alignof(T)); \
    *address = value;                         \
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
