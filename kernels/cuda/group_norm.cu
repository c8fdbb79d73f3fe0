// GroupNorm forward in CUDA C++, one call fused with its activation, float32 arithmetic whatever the type of x.
//
// Bytes: x once and y once (2 S) wherever a group fits the shared memory of the blocks that share it, whether one, a
// cluster or all of the device's (`team`); x twice (3 S) beyond (`statistics`, then `apply`). memory.cuh says which
// thread has what, moments.cuh how sums stay exact, exchange.cuh how blocks tell each other.
//
// How a group is cut depends on the group and the device alone, not on how many there are or on who holds it: so its
// bits are the same in any batch, and the same from `team` in all its ways and from the two kernels.

#include "normalize.cuh"

// Everything a launch says, in one order for all kernels but `small`.
#define PARAMETERS                                                                                                  \
  const ELEMENT *__restrict__ g_x, ELEMENT *__restrict__ g_y, const void *g_weight, const void *g_bias,             \
      float *g_statistics, float4 *g_slots, unsigned *g_counters, long long items, long long lines,                 \
      unsigned positions, int channels, int per_group, int tile, int columns, int width, int slice_lines, int size,    \
      int way, int ring, int activation, int parameters_are_float, float eps
#define SHAPE \
  { items, lines, positions, channels, per_group, tile, columns, width, slice_lines, size }

extern __shared__ float4 s_all[];

// The dynamic shared memory of `team`, in this order; launch.py counts the same.
struct Shared {
  float4* s_mine;     // [groups of an item]
  float4* s_normals;  // [groups of an item]
  float4* s_table;    // [warps] or [rows of warps][columns][sums]
  float4* s_slots;    // [2][team][groups of an item] if a cluster
  Vector* s_ring;     // [ring][slice_lines][columns], each slot to 16 bytes
};

__device__ __forceinline__ Shared share(const Shape& shape, const Place& place, int way) {
  const int groups = shape.tile / shape.per_group;
  const int rows = place.column_blocks < place.warps ? place.warps / place.column_blocks : 1;
  const int table = CONTIGUOUS ? place.warps : rows * shape.columns * SUMS;
  Shared s;
  s.s_mine = s_all;
  s.s_normals = s.s_mine + groups;
  s.s_table = s.s_normals + groups;
  s.s_slots = s.s_table + table;
  s.s_ring = reinterpret_cast<Vector*>(s.s_slots + (way == CLUSTER ? 2 * shape.team * groups : 0));
  return s;
}

__device__ __forceinline__ int slot_vectors(const Shape& shape) {
  const int whole = 16 / static_cast<int>(sizeof(Vector));
  return (shape.slice_lines * shape.columns + whole - 1) / whole * whole;
}

// A team of `size` blocks holds one item after another, the grid's teams side by side; while one is dealt with the
// next ring - 1 are on their way.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2) team(PARAMETERS) {
  const Shape shape = SHAPE;
  const Place place = place_of(shape);
  const Affine affine = {g_weight, g_bias, parameters_are_float != 0, activation};
  const Shared s = share(shape, place, way);
  const Team team = {way, static_cast<int>(blockIdx.x % size), size, s.s_slots, g_slots, g_counters};
  const int groups = tile / per_group, slot = slot_vectors(shape);
  const long long teams = gridDim.x / size, first = blockIdx.x / size;
  arrive(team);
  for (int round = 1 - ring;; ++round) {
    const long long item = first + round * teams, next = item + (ring - 1) * teams;
    if (item >= items) break;
    Slice ahead = slice_of(shape, next, team.rank);
    if (next >= items) ahead.lines = 0;
    fill(shape, ahead, place, g_x, s.s_ring + (round + ring - 1) % ring * slot);
    if (round < 0) continue;
    Vector* s_slot = s.s_ring + round % ring * slot;
    const Slice slice = slice_of(shape, item, team.rank);
    __syncwarp();  // a line that its warp brought element by element is there
    find_moments<true>(shape, slice, place, g_x, s_slot, STAGES * (ring - 1), s.s_table, s.s_mine);
    const float4* entries = exchange(team, s.s_mine, groups, item, round);
    find_normals(shape, slice, place, team, entries, eps, s.s_normals, g_statistics);
    __syncthreads();
    normalize_slice<true>(shape, slice, place, affine, s.s_normals, g_x, s_slot, g_y);
  }
}

// One block a slice: its moments to g_slots.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2) statistics(PARAMETERS) {
  const Shape shape = SHAPE;
  const Place place = place_of(shape);
  const Shared s = share(shape, place, SPLIT);
  const Team team = {SPLIT, static_cast<int>(blockIdx.x % size), size, nullptr, g_slots, nullptr};
  const long long item = blockIdx.x / size;
  find_moments<false>(shape, slice_of(shape, item, team.rank), place, g_x, nullptr, 0, s.s_table, s.s_mine);
  __syncthreads();
  publish(team, s.s_mine, tile / per_group, item);
}

// One block a slice, the last first: what `statistics` read last is still in the L2.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2) apply(PARAMETERS) {
  const Shape shape = SHAPE;
  const Place place = place_of(shape);
  const Affine affine = {g_weight, g_bias, parameters_are_float != 0, activation};
  const Shared s = share(shape, place, SPLIT);
  const unsigned block = gridDim.x - 1 - blockIdx.x;
  const Team team = {SPLIT, static_cast<int>(block % size), size, nullptr, g_slots, nullptr};
  const long long item = block / size;
  const Slice slice = slice_of(shape, item, team.rank);
  find_normals(shape, slice, place, team, published(team, tile / per_group, item), eps, s.s_normals, g_statistics);
  __syncthreads();
  normalize_slice<false>(shape, slice, place, affine, s.s_normals, g_x, nullptr, g_y);
}

#if CONTIGUOUS
#include "small.cuh"
#endif
