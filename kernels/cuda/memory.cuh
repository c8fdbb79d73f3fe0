// How x lies before a block's threads, and how a thread reads and writes it.
//
// Compile flags, one machine code for each choice:
//   ELEMENT     type of x and y: float, __half or __nv_bfloat16
//   VECTOR      elements a thread moves at once: 16 bytes' worth, or 1 where a channels_last row is no multiple of that
//   CONTIGUOUS  1: a work item is one group, a run of memory; 0: an item is a tile of channels over all positions
//   ALIGNED     1: every item starts at 16 bytes; 0 (contiguous only): elements cross the bus one by one
//   COLUMNWISE  1 (channels_last only): a vector's channels belong to several groups, so each is summed by itself
//
// An item is `lines` lines of `columns` vectors. Contiguous, a line is 32 vectors of the run, whatever channels they
// are of; channels_last, a line is the tile's channels at one position. A warp covers `width` columns (a power of two
// that divides `columns`) of 32 / width lines:
//
//      columns = 6, width = 2           warp 0   warp 1   warp 2
//                            line  0   [ 0  1]  [ 0  1]  [ 0  1]
//                            line  1   [ 2  3]  [ 2  3]  [ 2  3]      the numbers are lanes
//                             ...         ...      ...      ...
//                            line 15   [30 31]  [30 31]  [30 31]
//                            line 16    warp 3   warp 4   warp 5
//
// A thread's columns never change, and what it loads it sums and writes itself: held data needs no barrier.

#pragma once

#include "elements.cuh"

namespace {

// Vectors a thread has in registers at once. Two are 32 KB in flight a multiprocessor when they stream (1,024 threads),
// where Little's law asks for 17 (H100) to 24 (H200); four of 16-bit elements, widened, spill 64 registers.
constexpr int BATCH = sizeof(ELEMENT) == 4 ? 4 : 2;

// The most threads of a block, two of which share 65,536 registers: 72, 96 or 168 a thread. With 64, 80 and 128 some of
// `team` spill 4 to 32 bytes. cut.py counts the same.
constexpr int MOST_THREADS = COLUMNWISE ? 192 : CONTIGUOUS && ALIGNED ? 448 : 320;

template <bool AGAIN>
__device__ __forceinline__ Vector load_vector(const ELEMENT* g) {
  Vector v;
#if VECTOR > 1
  const uint4 raw = AGAIN ? device::load_again16(g) : device::load16(g);
  memcpy(&v, &raw, 16);
#else
  v.e[0] = *g;
#endif
  return v;
}

__device__ __forceinline__ void store_vector(ELEMENT* g, const Vector& v) {
#if VECTOR > 1
  uint4 raw;
  memcpy(&raw, &v, 16);
  device::store16(g, raw);
#else
  *g = v.e[0];
#endif
}

// 0 none, 1 silu, 2 relu: the same for all threads, so a branch costs two instructions a vector.
__device__ __forceinline__ float activate(float v, int activation) {
  if (activation == 1) {
    // v / (1 + e^-v) with two special functions, the most that memory's pace leaves room for in bfloat16.
    const float divisor = 1.0f + device::exp2_approx(v * -1.4426950408889634f);
    const float inverse = device::reciprocal_approx(divisor), y = v * inverse;
    if (sizeof(ELEMENT) < 4) return y;
    // float32 shows the reciprocal's own error: the division's remainder takes it out. Of infinities it is NaN.
    const float remainder = fmaf(-y, divisor, v);
    return remainder == remainder ? fmaf(remainder, inverse, y) : y;
  }
  return activation == 2 && v < 0.0f ? 0.0f : v;  // a NaN stays
}

// What all threads of a launch know alike.
struct Shape {
  long long items, lines;      // lines of one item
  unsigned positions;          // below 2^31
  int channels;                // of a sample
  int per_group;               // channels of a group
  int tile;                    // channels of an item
  int columns, width;          // vectors of a line; of them one warp's
  int slice_lines;             // lines of one block's share of an item, its slice; it spans less than 2^31 elements
  int team;                    // blocks that share an item
};

// One block's share of one item. Within it places are 32-bit.
struct Slice {
  long long first;   // element of x where the slice starts
  long long line;    // of the item
  int lines;
  int elements;      // contiguous: of the group, from the slice's start on, at most those of slice_lines
  long long sample;
  int channel;       // the item's first channel
};

__device__ __forceinline__ Slice slice_of(const Shape& shape, long long item, int rank) {
  Slice slice;
  const int tiles = shape.channels / shape.tile;
  const long long positions = shape.positions;
  slice.sample = item / tiles;
  slice.channel = static_cast<int>(item - slice.sample * tiles) * shape.tile;
  slice.line = static_cast<long long>(rank) * shape.slice_lines;
  const long long left = shape.lines - slice.line;
  slice.lines = left < 0 ? 0 : left < shape.slice_lines ? static_cast<int>(left) : shape.slice_lines;
  const long long start = slice.line * (CONTIGUOUS ? 32 * VECTOR : shape.channels);
  slice.first = slice.sample * shape.channels * positions + slice.channel * (CONTIGUOUS ? positions : 1) + start;
  const long long rest = shape.per_group * positions - start, most = slice.lines * 32ll * VECTOR;
  slice.elements = static_cast<int>(rest < 0 ? 0 : rest < most ? rest : most);
  return slice;
}

// A thread's place: columns column(block), lines line, line + step, ...
struct Place {
  int warp, lane, warps;
  int column_blocks;  // of `width` columns each
  int first_block;    // column block of this warp; further ones follow `warps` apart where there are more than warps
  int line, step;
  bool idle;          // warps that a whole number of column blocks leaves over
};

__device__ __forceinline__ Place place_of(const Shape& shape) {
  Place place;
  place.warps = blockDim.x / 32;
  place.warp = threadIdx.x / 32;
  place.lane = threadIdx.x % 32;
  place.column_blocks = shape.columns / shape.width;
  const int high = place.column_blocks < place.warps ? place.warps / place.column_blocks : 1;
  const int row = place.warp / place.column_blocks, lines = 32 / shape.width;
  place.first_block = place.warp % place.column_blocks;
  place.idle = row >= high;
  place.line = row * lines + place.lane / shape.width;
  place.step = high * lines;
  return place;
}

// Where vector `column` of line `line` of the slice starts, from its first element on.
__device__ __forceinline__ int offset_of(const Shape& shape, int line, int column) {
  return CONTIGUOUS ? (line * 32 + column) * VECTOR : line * shape.channels + column * VECTOR;
}

// Elements of that vector that belong to the group.
__device__ __forceinline__ int valid_of(const Shape& shape, const Slice& slice, int line, int column) {
  if (!CONTIGUOUS) return line < slice.lines ? VECTOR : 0;
  const int left = slice.elements - offset_of(shape, line, column);
  if (ALIGNED) return left > 0 ? VECTOR : 0;
  return left < 0 ? 0 : left < VECTOR ? left : VECTOR;
}

}  // namespace
