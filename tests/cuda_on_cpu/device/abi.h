// What a kernel compiled for the CPU asks of the machine that runs it, and the one table it shows.
#pragma once

#include <cstddef>
#include <cstdint>

enum CudaOnCpuOrder { RELAXED = 0, ACQUIRE = 1, RELEASE = 2 };
enum CudaOnCpuVote { VOTE_NONE, VOTE_COUNT, VOTE_OR, VOTE_AND };
enum CudaOnCpuWarp { WARP_SYNC, WARP_SHUFFLE, WARP_BALLOT };

extern "C" {
// A block's and a cluster's barriers, and a warp's meeting: each returns once all who take part have come.
int cuda_on_cpu_block_barrier(int vote, int predicate);
void cuda_on_cpu_cluster_arrive();
void cuda_on_cpu_cluster_wait();
// Gives `result` the 16 bytes of lane `source` (WARP_SHUFFLE), or a mask of the lanes whose first byte is not 0.
void cuda_on_cpu_warp_meet(int what, unsigned mask, int source, const void* value, void* result);
unsigned cuda_on_cpu_warp_lanes();

unsigned cuda_on_cpu_cluster_rank();
unsigned cuda_on_cpu_cluster_size();
void* cuda_on_cpu_remote(const void* here, unsigned rank);
void* cuda_on_cpu_dynamic_shared();

// Told before the access is made; atomic accesses never race with each other.
void cuda_on_cpu_atomic(const void* address, std::size_t bytes, int reads, int writes, int order);
void cuda_on_cpu_aligned(const void* address, std::size_t bytes);
void cuda_on_cpu_read_only(const void* address, std::size_t bytes);
void cuda_on_cpu_fence();
void cuda_on_cpu_yield();
void cuda_on_cpu_trap();

// Copies of 16 bytes that arrive when they are awaited, never before.
void cuda_on_cpu_copy(void* shared, const void* global);
void cuda_on_cpu_copy_commit();
void cuda_on_cpu_copy_wait(int pending);
}

struct CudaOnCpuKernel {
  const char* name;
  void (*call)(void** arguments);
  const std::size_t* sizes;
  std::size_t arguments;
};

struct CudaOnCpuModule {
  const CudaOnCpuKernel* kernels;
  std::size_t count;
  char* static_shared;
  char* static_shared_end;
};
