// How the blocks that share an item tell each other what each found: `count` entries of 16 bytes a block in, those of
// all blocks out, by one of four ways. Every block then joins them in the same order, so all have the same bits.
//
//   ALONE    one block an item: nothing to tell
//   CLUSTER  blocks of one cluster: each writes its entries into every block's shared memory, then one barrier.
//            Two buffers take turns: who writes the next entries has passed a barrier at which the last were read.
//   GRID     blocks of a cooperative launch, all alive together: entries to global memory, one writer each; then one
//            more on the item's counter (release), and a wait until it has come to the team's size (acquire).
//            Counters start at 0 and count one item each; slots are never written twice in a launch.
//   SPLIT    two kernels: the first writes as GRID does and ends, the second reads.

#pragma once

#include "device.cuh"

namespace {

enum Exchange { ALONE = 0, CLUSTER = 1, GRID = 2, SPLIT = 3 };

struct Team {
  int way;            // an Exchange
  int rank, size;
  float4* s_slots;    // CLUSTER: shared, two buffers of size * count entries; else null
  float4* g_slots;    // GRID, SPLIT: global, (items, size, count) entries; else null
  unsigned* g_counters;  // GRID: (items,); else null
};

// A cluster's blocks must have begun before their shared memory is written. Call once, at the kernel's start; the
// first exchange, which every block must come to, waits for it.
__device__ __forceinline__ void arrive(const Team& team) {
  if (team.way == CLUSTER) device::cluster_arrive();
}

// Writes this block's entries to global memory, [item][rank][entry].
__device__ __forceinline__ void publish(const Team& team, const float4* s_mine, int count, long long item) {
  float4* g_mine = team.g_slots + (item * team.size + team.rank) * count;
  for (int i = threadIdx.x; i < count; i += blockDim.x) g_mine[i] = s_mine[i];
}

// Where another block's or kernel's entries of an item lie, once they are there.
__device__ __forceinline__ const float4* published(const Team& team, int count, long long item) {
  return team.g_slots + item * team.size * count;
}

// Gives where all entries lie, [rank][entry], readable by all threads of the block. `s_mine` has been written before a
// __syncthreads(), or by the threads i < count each its own; `round` counts this block's exchanges from 0.
__device__ __forceinline__ const float4* exchange(const Team& team, const float4* s_mine, int count, long long item,
                                                  int round) {
  __syncthreads();
  if (team.way == ALONE) return s_mine;
  if (team.way == CLUSTER) {
    if (round == 0) device::cluster_wait();
    float4* s_slots = team.s_slots + (round % 2) * team.size * count;
    for (int i = threadIdx.x; i < team.size * count; i += blockDim.x) {
      const int to = i / count, entry = i - to * count;
      device::store_remote16(s_slots + team.rank * count + entry, to, s_mine[entry]);
    }
    device::cluster_arrive();
    device::cluster_wait();
    return s_slots;
  }
  publish(team, s_mine, count, item);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    device::add_release(team.g_counters + item, 1u);
    while (device::load_acquire(team.g_counters + item) < static_cast<unsigned>(team.size)) device::pause();
  }
  __syncthreads();
  return published(team, count, item);
}

}  // namespace
