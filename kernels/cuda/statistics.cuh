// A slice's moments by group, from where it is held or straight from memory, and the filling of held slices.

#pragma once

#include "exchange.cuh"
#include "moments.cuh"

namespace {

constexpr int STAGES = 4;  // batches of copies a slice arrives in: its first quarter is summed while the rest is under way

// Calls visit(column, first line, batch number) for each MANY lines of a thread, as often in a whole warp.
template <int MANY, typename Visit>
__device__ __forceinline__ void for_each_batch(const Shape& shape, const Slice& slice, const Place& place, Visit visit) {
  if (place.idle) return;
  const int of_warp = place.line - place.lane / shape.width;
  int batch = 0;
  for (int block = place.first_block; block < place.column_blocks; block += place.warps) {
    const int column = block * shape.width + place.lane % shape.width;
    for (int line = of_warp; line < slice.lines; line += MANY * place.step) {
      visit(column, line + place.lane / shape.width, batch++);
    }
  }
}

__device__ __forceinline__ int batches_of_stage(const Shape& shape, const Place& place) {
  const int of_block = (shape.slice_lines + BATCH * place.step - 1) / (BATCH * place.step);
  const int batches = of_block * ((place.column_blocks + place.warps - 1) / place.warps);
  return (batches + STAGES - 1) / STAGES;
}

// Starts to bring a slice into s_slot, [line][column]. Always makes STAGES batches of copies.
__device__ __forceinline__ void fill(const Shape& shape, const Slice& slice, const Place& place,
                                     const ELEMENT* __restrict__ g_x, Vector* s_slot) {
  int committed = 0;
  const int of_stage = batches_of_stage(shape, place);
  const ELEMENT* g_slice = g_x + slice.first;
  for_each_batch<BATCH>(shape, slice, place, [&](int column, int first, int batch) {
#pragma unroll 1
    for (int line = first; line < slice.lines && line < first + BATCH * place.step; line += place.step) {
#if CONTIGUOUS && !ALIGNED
      // A line is one warp's: its elements cross in order, whole sectors at a time, and turn to vectors in here.
      const int start = offset_of(shape, line, 0);
      ELEMENT* s_line = s_slot[line * 32].e;
#pragma unroll
      for (int e = column; e < 32 * VECTOR; e += 32) {
        if (start + e < slice.elements) s_line[e] = g_slice[start + e];
      }
#else
      if (!valid_of(shape, slice, line, column)) continue;
      Vector* s = s_slot + line * shape.columns + column;
      if (VECTOR > 1) {
        device::copy_async16(s, g_slice + offset_of(shape, line, column));
      } else {
        s->e[0] = g_slice[offset_of(shape, line, column)];
      }
#endif
    }
    if ((batch + 1) % of_stage == 0 && committed < STAGES) {
      device::copy_commit();
      ++committed;
    }
  });
  for (; committed < STAGES; ++committed) device::copy_commit();
}

template <bool HELD, int MANY>
__device__ __forceinline__ void read_batch(const Shape& shape, const Slice& slice, const Place& place, int column,
                                           int first, const ELEMENT* __restrict__ g_x, const Vector* s_slot,
                                           Vector (&x)[MANY], int (&valid)[MANY]) {
#pragma unroll
  for (int k = 0; k < MANY; ++k) {
    const int line = first + k * place.step;
    valid[k] = valid_of(shape, slice, line, column);
    const ELEMENT* g = g_x + slice.first + offset_of(shape, line, column);
    if (HELD) {
      if (valid[k]) x[k] = s_slot[line * shape.columns + column];
    } else if (CONTIGUOUS && !ALIGNED) {
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        if (e < valid[k]) x[k].e[e] = g[e];
      }
    } else if (valid[k]) {
      x[k] = load_vector<true>(g);
    }
  }
}

// One warp's share of the slice to s_table: contiguous, [warp]; channels_last, [row of warps][column][sum].
template <bool HELD>
__device__ __forceinline__ void sum_slice(const Shape& shape, const Slice& slice, const Place& place,
                                          const ELEMENT* __restrict__ g_x, const Vector* s_slot, float scale,
                                          int later_copies, float4* s_table) {
  const int of_stage = batches_of_stage(shape, place);
  int batch = 0;
  if (place.idle) return;
  const int row = place.warp / place.column_blocks, of_warp = place.line - place.lane / shape.width;
  for (int block = place.first_block; block < place.column_blocks; block += place.warps) {
    const int column = block * shape.width + place.lane % shape.width;
    Running m = {};
    for (int base = of_warp; base < slice.lines; base += BATCH * place.step, ++batch) {
      if (HELD && batch % of_stage == 0) device::copy_wait(later_copies + STAGES - 1 - batch / of_stage);
      Vector x[BATCH];
      int valid[BATCH];
      read_batch<HELD, BATCH>(shape, slice, place, column, base + place.lane / shape.width, g_x, s_slot, x, valid);
      add_batch(m, x, valid, scale);
    }
#pragma unroll
    for (int s = 0; s < SUMS; ++s) {
      const Moments all = join_lanes(m.sum(s), CONTIGUOUS ? 1 : shape.width);
      const float4 entry = make_float4(all.n, all.high, all.low, all.m2);
      if (CONTIGUOUS) {
        if (place.lane == 0) s_table[place.warp] = entry;
      } else if (place.lane < shape.width) {
        s_table[(row * shape.columns + column) * SUMS + s] = entry;
      }
    }
  }
}

// The table's entries of one group, joined by one warp.
__device__ __forceinline__ Moments join_table(const Shape& shape, const Place& place, const float4* s_table, int group) {
  const int of_row = CONTIGUOUS ? place.warps : shape.per_group * SUMS / VECTOR;
  const int rows = CONTIGUOUS || place.column_blocks >= place.warps ? 1 : place.warps / place.column_blocks;
  Moments all = {};
  for (int i = place.lane; i < rows * of_row; i += 32) {
    const int row = i / of_row;
    const float4 e = s_table[row * shape.columns * SUMS + group * of_row + i - row * of_row];
    all = join(all, {e.x, e.y, e.z, e.w});
  }
  return join_lanes(all, 1);
}

// s_mine[group of the item]: the slice's moments as (n, high, low, m2), n < 0 where they had to be shrunk. Written by
// one lane of a warp each; a barrier must follow. Before it returns all have read s_table.
template <bool HELD>
__device__ __forceinline__ void find_moments(const Shape& shape, const Slice& slice, const Place& place,
                                             const ELEMENT* __restrict__ g_x, const Vector* s_slot, int later_copies,
                                             float4* s_table, float4* s_mine) {
  const int groups = shape.tile / shape.per_group;
  for (int attempt = 0; attempt < 2; ++attempt) {
    sum_slice<HELD>(shape, slice, place, g_x, s_slot, attempt ? SHRINK : 1.0f, later_copies, s_table);
    __syncthreads();
    bool again = false;
    for (int group = place.warp; group < groups; group += place.warps) {
      const Moments all = join_table(shape, place, s_table, group);
      const bool keep = attempt && s_mine[group].x >= 0.0f;
      __syncwarp();
      again |= !is_whole(all);
      // A first attempt that overflowed is marked by its count; a second one stands, NaN or not.
      if (place.lane == 0 && !keep) {
        s_mine[group] = make_float4(is_whole(all) && !attempt ? all.n : -all.n, all.high, all.low, all.m2);
      }
    }
    if (attempt || !__syncthreads_or(again)) break;
  }
}

}  // namespace
