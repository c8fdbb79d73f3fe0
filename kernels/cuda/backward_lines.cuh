// How a block walks its part of x and dy, in both layouts.
//
//   CHANNELS_LAST 0: an entry is one stretch of one channel's run, `stretch` vectors; `width` lanes share it:
//
//       channel 0   |0 1 2 3 0 1 2 3 ...|0 1 2 3 ...      |      the numbers are lanes (width 4),
//       channel 1   |0 1 2 3 0 1 2 3 ...|0 1 2 3 ...      |      | the ends of stretches
//
//     Entries are numbered along memory; a block has `each` of them.
//   CHANNELS_LAST 1: an entry is one channel at `stretch` positions; a thread has a vector of neighboring channels, and
//     `columns` threads side by side a tile of whole groups:
//
//       position 0  |0 1 2 3 4|       columns 5: thread 0 has channels 0 to VECTOR - 1
//       position 1  |5 6 7 8 9|       of positions 0, rows, 2 * rows, ...
//
// An entry's two sums come from one block, in one order. A float adds up no more than 128 products before sums go on
// as pairs, so that they lose 2e-7 of their spread at most.
#pragma once

#include "backward_numbers.cuh"

namespace {

// The most threads of a block, two of which share 65,536 registers: 128 or 170 a thread. A thread of channels_last has
// eight channels' constants, and with 128 registers spilled on sm_80. backward_plan.py counts the same.
constexpr int MOST_THREADS = CHANNELS_LAST ? 192 : 256;

// What all threads of a launch know alike.
struct Shape {
  int channels, per_group;   // of a sample; of a group
  int positions;
  int tile;                  // channels of an item: whole groups of one sample
  int stretches, stretch;    // entries of a channel; their vectors, or positions
  int each, width;           // CHANNELS_LAST 0: entries of a block, lanes of an entry; 1: unused, columns at once
  int team;                  // blocks of an item
};

struct Slice {
  long long first;  // element where the item begins
  long long group;  // its first, counted through all samples
  long long entry;  // its first, counted through all samples
  int channel;      // its first
  int rank;         // of this block in the item's team
};

__device__ __forceinline__ Slice slice_of(const Shape& shape, unsigned block) {
  const int item = block / shape.team, tiles = shape.channels / shape.tile, sample = item / tiles;
  const int channel = (item - sample * tiles) * shape.tile;
  const long long row = static_cast<long long>(sample) * shape.channels + channel;
  Slice slice;
  slice.first = CHANNELS_LAST ? static_cast<long long>(sample) * shape.channels * shape.positions + channel
                              : row * shape.positions;
  slice.group = row / shape.per_group;
  slice.entry = row * shape.stretches;
  slice.channel = channel;
  slice.rank = block % shape.team;
  return slice;
}

struct Given {
  const ELEMENT *__restrict__ g_dy, *__restrict__ g_x;
  const float* g_statistics;
  Parameters parameters;
};

#if !CHANNELS_LAST

// Calls use(entry, exists, channel of the item, its first vector, vectors) for the entries of a warp, all lanes alike.
template <typename Use>
__device__ __forceinline__ void for_each_entry(const Shape& shape, const Slice& slice, Use use) {
  const int per_warp = 32 / shape.width, vectors = shape.positions / VECTOR;
  const int first = slice.rank * shape.each, end = min(first + shape.each, shape.tile * shape.stretches);
  for (int base = first + threadIdx.x / 32 * per_warp; base < end; base += blockDim.x / 32 * per_warp) {
    const int entry = base + threadIdx.x % 32 / shape.width;
    const bool exists = entry < end;
    const int channel = exists ? entry / shape.stretches : 0;
    const int begin = exists ? (entry - channel * shape.stretches) * shape.stretch : 0;
    use(entry, exists, channel, begin, exists ? min(shape.stretch, vectors - begin) : 0);
  }
}

// Calls use(place, x, dy) for this lane's vectors of an entry, BATCH of them on their way at once.
template <typename Use>
__device__ __forceinline__ void for_each_vector(const Shape& shape, const Given& given, long long at, int count,
                                                Use use) {
  for (int v = threadIdx.x % shape.width; v < count; v += BATCH * shape.width) {
    Vector x[BATCH], dy[BATCH];
#pragma unroll
    for (int k = 0; k < BATCH; ++k) {
      const long long place = at + static_cast<long long>(v + k * shape.width) * VECTOR;
      if (v + k * shape.width < count) {
        x[k] = load_vector(given.g_x + place);
        dy[k] = load_vector(given.g_dy + place);
      }
    }
#pragma unroll
    for (int k = 0; k < BATCH; ++k) {
      const long long place = at + static_cast<long long>(v + k * shape.width) * VECTOR;
      if (v + k * shape.width < count) use(place, x[k], dy[k]);
    }
  }
}

// Calls emit(entry of the item, channel, sum of dz * xhat, sum of dz) once for each of the block's entries.
template <typename Emit>
__device__ __forceinline__ void sum_slice(const Shape& shape, const Slice& slice, const Given& given, float2*,
                                          Emit emit) {
  for_each_entry(shape, slice, [&](int entry, bool exists, int channel, int begin, int count) {
    const Channel c = channel_of(given.g_statistics, given.parameters, slice.group + channel / shape.per_group,
                                 slice.channel + channel);
    const long long at = slice.first + static_cast<long long>(channel) * shape.positions + begin * VECTOR;
    float scale = 0.0f, shift = 0.0f;
    for_each_vector(shape, given, at, count, [&](long long, const Vector& x, const Vector& dy) {
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        const float xhat = c.normalize(widen(x.e[e])), dz = c.dz(widen(dy.e[e]), xhat, given.parameters.activation);
        scale = fmaf(dz, xhat, scale);
        shift += dz;
      }
    });
    for (int other = 1; other < shape.width; other *= 2) {
      scale += __shfl_xor_sync(ALL, scale, other);
      shift += __shfl_xor_sync(ALL, shift, other);
    }
    if (exists && threadIdx.x % shape.width == 0) emit(entry, channel, scale, shift);
  });
}

// coefficients: of the item's first group.
__device__ __forceinline__ void apply_slice(const Shape& shape, const Slice& slice, const Given& given,
                                            const float2* coefficients, bool one_element, ELEMENT* __restrict__ g_dx) {
  for_each_entry(shape, slice, [&](int, bool, int channel, int begin, int count) {
    const int group = channel / shape.per_group;
    Channel c = channel_of(given.g_statistics, given.parameters, slice.group + group, slice.channel + channel);
    set_coefficients(c, coefficients[group], one_element);
    const long long at = slice.first + static_cast<long long>(channel) * shape.positions + begin * VECTOR;
    for_each_vector(shape, given, at, count, [&](long long place, const Vector& x, const Vector& dy) {
      Vector dx;
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        const float xhat = c.normalize(widen(x.e[e])), dz = c.dz(widen(dy.e[e]), xhat, given.parameters.activation);
        narrow(c.dx(dz, xhat), dx.e + e);
      }
      store_vector(g_dx + place, dx);
    });
  });
}

#else

// Calls use(first column, this thread's column, whether it has one, its first line, step) for the tile's columns.
template <typename Use>
__device__ __forceinline__ void for_each_column(const Shape& shape, Use use) {
  const int columns = shape.tile / VECTOR, rows = blockDim.x / shape.width;
  const int across = threadIdx.x % shape.width, row = threadIdx.x / shape.width;
  for (int first = 0; first < columns; first += shape.width) {
    use(first, first + across, row < rows && first + across < columns, row, rows);
  }
}

// Calls use(place, x, dy) for this thread's lines of one column, BATCH of them on their way at once.
template <typename Use>
__device__ __forceinline__ void for_each_line(const Shape& shape, const Slice& slice, const Given& given, int column,
                                              int row, int rows, Use use) {
  const int first = slice.rank * shape.stretch, lines = min(shape.stretch, shape.positions - first);
  const auto place = [&](int line) {
    return slice.first + static_cast<long long>(first + line) * shape.channels + column * VECTOR;
  };
  for (int line = row; line < lines; line += BATCH * rows) {
    Vector x[BATCH], dy[BATCH];
#pragma unroll
    for (int k = 0; k < BATCH; ++k) {
      if (line + k * rows < lines) {
        x[k] = load_vector(given.g_x + place(line + k * rows));
        dy[k] = load_vector(given.g_dy + place(line + k * rows));
      }
    }
#pragma unroll
    for (int k = 0; k < BATCH; ++k) {
      if (line + k * rows < lines) use(place(line + k * rows), x[k], dy[k]);
    }
  }
}

// s_table: [rows][VECTOR][columns at once], where threads of one column leave each other their sums.
template <typename Emit>
__device__ __forceinline__ void sum_slice(const Shape& shape, const Slice& slice, const Given& given, float2* s_table,
                                          Emit emit) {
  for_each_column(shape, [&](int first, int column, bool exists, int row, int rows) {
    if (exists) {
      Channel c[VECTOR];
      float scale[VECTOR], shift[VECTOR];
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        const int channel = column * VECTOR + e;
        c[e] = channel_of(given.g_statistics, given.parameters, slice.group + channel / shape.per_group,
                          slice.channel + channel);
        scale[e] = shift[e] = 0.0f;
      }
      for_each_line(shape, slice, given, column, row, rows, [&](long long, const Vector& x, const Vector& dy) {
#pragma unroll
        for (int e = 0; e < VECTOR; ++e) {
          const float xhat = c[e].normalize(widen(x.e[e]));
          const float dz = c[e].dz(widen(dy.e[e]), xhat, given.parameters.activation);
          scale[e] = fmaf(dz, xhat, scale[e]);
          shift[e] += dz;
        }
      });
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        s_table[(row * VECTOR + e) * shape.width + column - first] = make_float2(scale[e], shift[e]);
      }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < VECTOR * shape.width; i += blockDim.x) {
      const int e = i / shape.width, at = first + i - e * shape.width, channel = at * VECTOR + e;
      if (channel < shape.tile) {
        Sums sums = {{0.0f, 0.0f}, {0.0f, 0.0f}};
        for (int other = 0; other < rows; ++other) {
          sums = add(sums, s_table[(other * VECTOR + e) * shape.width + at - first]);
        }
        emit(channel * shape.stretches + slice.rank, channel, value(sums.scale), value(sums.shift));
      }
    }
    __syncthreads();
  });
}

__device__ __forceinline__ void apply_slice(const Shape& shape, const Slice& slice, const Given& given,
                                            const float2* coefficients, bool one_element, ELEMENT* __restrict__ g_dx) {
  for_each_column(shape, [&](int, int column, bool exists, int row, int rows) {
    if (!exists) return;
    Channel c[VECTOR];
#pragma unroll
    for (int e = 0; e < VECTOR; ++e) {
      const int channel = column * VECTOR + e, group = channel / shape.per_group;
      c[e] = channel_of(given.g_statistics, given.parameters, slice.group + group, slice.channel + channel);
      set_coefficients(c[e], coefficients[group], one_element);
    }
    for_each_line(shape, slice, given, column, row, rows, [&](long long place, const Vector& x, const Vector& dy) {
      Vector dx;
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        const float xhat = c[e].normalize(widen(x.e[e]));
        narrow(c[e].dx(c[e].dz(widen(dy.e[e]), xhat, given.parameters.activation), xhat), dx.e + e);
      }
      store_vector(g_dx + place, dx);
    });
  });
}

#endif

}  // namespace
