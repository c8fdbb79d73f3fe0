// The few things that CUDA C++ says only in PTX or by an intrinsic, each a small inline function with one meaning.
//
// Under CUDA_ON_CPU none of this is read: who runs the kernels on a CPU gives functions of the same names in
// cuda_on_cpu.h. NVRTC has neither cooperative groups nor libcu++ at hand, so there is no other header to ask.
//
//   Clusters. All blocks of a cluster are alive together; shared memory has the same layout in each.
//     unsigned cluster_rank()              which block of its cluster this is; 0 without clusters
//     void cluster_arrive()                release: what this thread wrote to any shared memory of the cluster
//     void cluster_wait()                  acquire: until every thread of every block has arrived
//     void store_remote16(float4* s_here, unsigned rank, float4 v)
//                                          writes v where block `rank` has what s_here names in this one
//   Device-wide order, between blocks of a cooperative launch.
//     void add_release(unsigned* g, unsigned v)         adds; what came before is seen by who acquires the sum
//     unsigned load_acquire(const unsigned* g)
//     void pause()                         a spinning thread lets others run
//     float4 load_uncached16(const float4* g)           past the L1, which other blocks' stores do not reach
//   Memory, 16 bytes at an address divisible by 16.
//     uint4 load16(const void* g)          read once: first to leave the caches
//     uint4 load_again16(const void* g)    will be read again: stays in the caches as long as it may
//     void store16(void* g, uint4 v)
//   Copies from global to shared memory that do not wait (16 bytes each). Seen by the thread that made them once
//   copy_wait says so, and by others after a barrier behind that.
//     void copy_async16(void* s, const void* g)
//     void copy_commit()                   ends a batch; batches arrive in order
//     void copy_wait(int pending)          until no more than `pending` (0 to 15) of this thread's batches are missing
//   Special functions, one instruction each.
//     float exp2_approx(float v)           2^v, relative error 2^-22.5
//     float reciprocal_approx(float v)     1 ulp; 0 for infinity

#pragma once

#ifdef CUDA_ON_CPU
#include "cuda_on_cpu.h"
#else

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace device {

__device__ __forceinline__ unsigned shared_address(const void* s) {
  return static_cast<unsigned>(__cvta_generic_to_shared(s));
}

#if __CUDA_ARCH__ >= 900

__device__ __forceinline__ unsigned cluster_rank() {
  unsigned rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

__device__ __forceinline__ void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }

__device__ __forceinline__ void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }

__device__ __forceinline__ void store_remote16(float4* s_here, unsigned rank, float4 v) {
  unsigned there;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(shared_address(s_here)), "r"(rank));
  asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(there), "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w)
               : "memory");
}

#else  // no clusters before sm_90: the launcher plans none there

__device__ __forceinline__ unsigned cluster_rank() { return 0; }
__device__ __forceinline__ void cluster_arrive() {}
__device__ __forceinline__ void cluster_wait() {}
__device__ __forceinline__ void store_remote16(float4* s_here, unsigned, float4 v) { *s_here = v; }

#endif

__device__ __forceinline__ void add_release(unsigned* g, unsigned v) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(g), "r"(v) : "memory");
}

__device__ __forceinline__ unsigned load_acquire(const unsigned* g) {
  unsigned v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(g) : "memory");
  return v;
}

__device__ __forceinline__ void pause() { __nanosleep(20); }

__device__ __forceinline__ float4 load_uncached16(const float4* g) { return __ldcg(g); }

__device__ __forceinline__ uint4 load16(const void* g) { return __ldcs(static_cast<const uint4*>(g)); }

__device__ __forceinline__ uint4 load_again16(const void* g) { return *static_cast<const uint4*>(g); }

__device__ __forceinline__ void store16(void* g, uint4 v) { *static_cast<uint4*>(g) = v; }

__device__ __forceinline__ void copy_async16(void* s, const void* g) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(s)), "l"(g) : "memory");
}

__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// The instruction takes a constant, so the count is looked up.
__device__ __forceinline__ void copy_wait(int pending) {
#define WAIT(n) \
  case n: asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory"); break;
  switch (pending) {
    WAIT(1) WAIT(2) WAIT(3) WAIT(4) WAIT(5) WAIT(6) WAIT(7) WAIT(8)
    WAIT(9) WAIT(10) WAIT(11) WAIT(12) WAIT(13) WAIT(14) WAIT(15)
    default: asm volatile("cp.async.wait_group 0;" ::: "memory");
  }
#undef WAIT
}

__device__ __forceinline__ float exp2_approx(float v) {
  float power;
  asm("ex2.approx.f32 %0, %1;" : "=f"(power) : "f"(v));
  return power;
}

__device__ __forceinline__ float reciprocal_approx(float v) {
  float inverse;
  asm("rcp.approx.f32 %0, %1;" : "=f"(inverse) : "f"(v));
  return inverse;
}

}  // namespace device

#endif
