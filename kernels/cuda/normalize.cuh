// y = activation(((x * scale - high) - low) * (rstd * weight) + bias), from a held slice or straight from memory.

#pragma once

#include "statistics.cuh"

namespace {

// What all threads know of the affine part.
struct Affine {
  const void* g_weight;  // (C,) or null
  const void* g_bias;    // (C,) or null
  bool is_float;         // of type float32, else of x's
  int activation;
};

__device__ __forceinline__ float normalize(float x, const Normal& normal, float gain, float bias, int activation) {
  return activate(fmaf(fmaf(x, normal.scale, -normal.high) - normal.low, gain, bias), activation);
}

// A run's channels as a thread meets them: no division once it has started.
struct Walk {
  int channel, channels_a_step;
  unsigned position, positions_a_step;

  __device__ __forceinline__ Walk(const Shape& shape, long long element, int step) {
    const long long positions = shape.positions;
    channel = static_cast<int>(element / positions);
    position = static_cast<unsigned>(element - channel * positions);
    channels_a_step = static_cast<int>(step / positions);
    positions_a_step = static_cast<unsigned>(step - channels_a_step * positions);
  }

  __device__ __forceinline__ void advance(const Shape& shape) {
    channel += channels_a_step;
    position += positions_a_step;
    if (position >= shape.positions) {
      position -= shape.positions;
      ++channel;
    }
  }
};

// A vector of a run; `first_channel` is the group's.
__device__ __forceinline__ Vector normalize_run(const Shape& shape, const Affine& affine, const Normal& normal,
                                                const Walk& at, int first_channel, const Vector& x, unsigned valid) {
  Vector y;
  // A vector wholly behind the last group has no channel: it is given one, and written nowhere.
  int channel = min(first_channel + at.channel, shape.channels - 1);
  const unsigned left = shape.positions - at.position;
  unsigned until = left < VECTOR ? left : VECTOR;  // elements of this channel
  float gain = normal.rstd * parameter(affine.g_weight, affine.is_float, channel, 1.0f);
  float bias = parameter(affine.g_bias, affine.is_float, channel, 0.0f);
#pragma unroll
  for (unsigned e = 0; e < VECTOR; ++e) {
    if (e == until && e < valid) {
      ++channel;
      until += shape.positions < VECTOR ? shape.positions : VECTOR;
      gain = normal.rstd * parameter(affine.g_weight, affine.is_float, channel, 1.0f);
      bias = parameter(affine.g_bias, affine.is_float, channel, 0.0f);
    }
    narrow(normalize(widen(x.e[e]), normal, gain, bias, affine.activation), &y.e[e]);
  }
  return y;
}

constexpr int MOST_STREAMED = 2;  // vectors in flight a thread of `apply`; held ones need none

#if CONTIGUOUS

template <bool HELD>
__device__ __forceinline__ void write_run(const Shape& shape, const Slice& slice, const Place& place, int line,
                                          const Vector& y, int valid, ELEMENT* __restrict__ g_y, Vector* s_slot) {
  ELEMENT* g = g_y + slice.first + offset_of(shape, line, place.lane);
#if ALIGNED
  if (valid) store_vector(g, y);
#else
  if (!HELD) {
#pragma unroll
    for (int e = 0; e < VECTOR; ++e) {
      if (e < valid) g[e] = y.e[e];
    }
    return;
  }
  // The way that fill() came: through the line of the slot, so that whole sectors cross.
  s_slot[line * 32 + place.lane] = y;
  __syncwarp();
  const ELEMENT* s_line = s_slot[line * 32].e;
  const int start = offset_of(shape, line, 0);
#pragma unroll
  for (int e = place.lane; e < 32 * VECTOR; e += 32) {
    if (start + e < slice.elements) g_y[slice.first + start + e] = s_line[e];
  }
  __syncwarp();  // the slot's next content is not stored before this one is read
#endif
}

template <bool HELD>
__device__ __forceinline__ void normalize_slice(const Shape& shape, const Slice& slice, const Place& place,
                                                const Affine& affine, const float4* s_normals,
                                                const ELEMENT* __restrict__ g_x, Vector* s_slot,
                                                ELEMENT* __restrict__ g_y) {
  const float4 n = s_normals[0];
  const Normal normal = {n.x, n.y, n.z, n.w};
  Walk at(shape, ((slice.line + place.line) * 32 + place.lane) * VECTOR, place.step * 32 * VECTOR);
  constexpr int MANY = HELD ? 1 : MOST_STREAMED;
  for (int first = place.line; first < slice.lines; first += MANY * place.step) {
    Vector x[MANY];
    int valid[MANY];
    read_batch<HELD, MANY>(shape, slice, place, place.lane, first, g_x, s_slot, x, valid);
#pragma unroll
    for (int k = 0; k < MANY; ++k) {
      const int line = first + k * place.step;
      if (line >= slice.lines) break;
      const Vector y = normalize_run(shape, affine, normal, at, slice.channel, x[k], valid[k]);
      write_run<HELD>(shape, slice, place, line, y, valid[k], g_y, s_slot);
      at.advance(shape);
    }
  }
}

#else

template <bool HELD>
__device__ __forceinline__ void normalize_slice(const Shape& shape, const Slice& slice, const Place& place,
                                                const Affine& affine, const float4* s_normals,
                                                const ELEMENT* __restrict__ g_x, Vector* s_slot,
                                                ELEMENT* __restrict__ g_y) {
  int last_column = -1;
  Normal normal[SUMS];
  float gain[VECTOR], bias[VECTOR];
  constexpr int MANY = HELD ? 1 : MOST_STREAMED;
  for_each_batch<MANY>(shape, slice, place, [&](int column, int first, int) {
    if (column != last_column) {
      last_column = column;
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        const int channel = column * VECTOR + e;
        if (e < SUMS) {
          const float4 n = s_normals[channel / shape.per_group];
          normal[e] = {n.x, n.y, n.z, n.w};
        }
        const float weight = parameter(affine.g_weight, affine.is_float, slice.channel + channel, 1.0f);
        gain[e] = normal[SUMS > 1 ? e : 0].rstd * weight;
        bias[e] = parameter(affine.g_bias, affine.is_float, slice.channel + channel, 0.0f);
      }
    }
    Vector x[MANY];
    int valid[MANY];
    read_batch<HELD, MANY>(shape, slice, place, column, first, g_x, s_slot, x, valid);
#pragma unroll
    for (int k = 0; k < MANY; ++k) {
      if (!valid[k]) break;
      Vector y;
#pragma unroll
      for (int e = 0; e < VECTOR; ++e) {
        narrow(normalize(widen(x[k].e[e]), normal[SUMS > 1 ? e : 0], gain[e], bias[e], affine.activation), &y.e[e]);
      }
      store_vector(g_y + slice.first + offset_of(shape, first + k * place.step, column), y);
    }
  });
}

#endif

// From the entries of a team to what normalizes each group of the item, in shared memory; a barrier must follow. The
// team's first block also writes statistics, (N, G, 3): mean high and low, rstd.
__device__ __forceinline__ void find_normals(const Shape& shape, const Slice& slice, const Place& place,
                                             const Team& team, const float4* entries, float eps, float4* s_normals,
                                             float* __restrict__ g_statistics) {
  const int groups = shape.tile / shape.per_group;
  for (int group = place.warp; group < groups; group += place.warps) {
    const Normal normal = normal_of(entries + group, team.size, groups, eps);
    if (place.lane) continue;
    s_normals[group] = make_float4(normal.high, normal.low, normal.rstd, normal.scale);
    if (g_statistics && team.rank == 0) {
      const long long first = slice.sample * (shape.channels / shape.per_group) + slice.channel / shape.per_group;
      float* g = g_statistics + 3 * (first + group);
      g[0] = normal.high / normal.scale;
      g[1] = normal.low / normal.scale;
      g[2] = normal.rstd * normal.scale;
    }
  }
}

}  // namespace
