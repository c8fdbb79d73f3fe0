// How threads meet: barriers of a block, fences, and what the lanes of a warp tell each other.
#pragma once

#include "cuda_on_cpu.h"

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
inline int __all_sync(unsigned mask, int predicate) { return (cuda_on_cpu::ballot(mask, !predicate)) == 0; }
