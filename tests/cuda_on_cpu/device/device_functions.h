// The functions of a kernel's device.cuh, for those who run it on the CPU.
#pragma once

#include "cuda_on_cpu.h"
#include "memory.h"

namespace device {

inline unsigned cluster_rank() { return cuda_on_cpu_cluster_rank(); }
inline unsigned cluster_size() { return cuda_on_cpu_cluster_size(); }
inline void cluster_arrive() { cuda_on_cpu_cluster_arrive(); }
inline void cluster_wait() { cuda_on_cpu_cluster_wait(); }
template <typename T>
T* remote(T* s_here, unsigned rank) {
  return static_cast<T*>(cuda_on_cpu_remote(s_here, rank));
}
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
