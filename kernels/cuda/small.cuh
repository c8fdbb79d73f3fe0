// Groups of up to 2 KB, contiguous: `width` lanes a group, 32 / width groups a warp, x in registers.

#pragma once

#include "normalize.cuh"

namespace {

constexpr int MOST = 4;  // vectors of a lane: 32 lanes' are 2 KB

__device__ __forceinline__ float sum_lanes(float v, int width) {
  for (int other = width / 2; other > 0; other /= 2) v += __shfl_xor_sync(ALL, v, other);
  return v;
}

// Every lane of a group gets the same; n is the group's elements.
__device__ __forceinline__ Normal normal_of_lanes(const Vector (&x)[MOST], const int (&valid)[MOST], int width, int n,
                                                  float scale, float eps) {
  const float first = __shfl_sync(ALL, widen(x[0].e[0]), 0, width) * scale, one = 1.0f / static_cast<float>(n);
  float sum = 0.0f, rest = 0.0f, squares = 0.0f;
#pragma unroll
  for (int k = 0; k < MOST; ++k) {
#pragma unroll
    for (int e = 0; e < VECTOR; ++e) {
      if (e < valid[k]) sum += fmaf(widen(x[k].e[e]), scale, -first);
    }
  }
  const float mean = fmaf(sum_lanes(sum, width), one, first);
#pragma unroll
  for (int k = 0; k < MOST; ++k) {
#pragma unroll
    for (int e = 0; e < VECTOR; ++e) {
      if (e < valid[k]) {
        const float centered = fmaf(widen(x[k].e[e]), scale, -mean);
        rest += centered;
        squares = fmaf(centered, centered, squares);
      }
    }
  }
  rest = sum_lanes(rest, width);
  const float low = rest * one, exact = fmaf(-rest, low, sum_lanes(squares, width));
  const float high = mean + low, variance = (exact < 0.0f ? 0.0f : exact) * one;
  return {high, low - (high - mean), 1.0f / sqrtf(variance + eps * scale * scale), scale};
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) small(
    const ELEMENT* __restrict__ g_x, ELEMENT* __restrict__ g_y, const void* g_weight, const void* g_bias,
    float* __restrict__ g_statistics, long long items, unsigned positions, int channels, int per_group, int width,
    int activation, int parameters_are_float, float eps) {
  const Shape shape = {items, 0, positions, channels, per_group, per_group, 32, 32, 0, 1};
  const Affine affine = {g_weight, g_bias, parameters_are_float != 0, activation};
  const long long group = (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x) / width;
  const int lane = threadIdx.x % width, n = per_group * static_cast<int>(positions);
  Vector x[MOST] = {};
  int valid[MOST];
#pragma unroll
  for (int k = 0; k < MOST; ++k) {
    const int at = (k * width + lane) * VECTOR, left = group < items ? n - at : 0;
    const ELEMENT* g = g_x + group * n + at;
    valid[k] = left < 0 ? 0 : left < VECTOR ? left : VECTOR;
#if ALIGNED
    if (valid[k]) x[k] = load_vector<false>(g);
#else
#pragma unroll
    for (int e = 0; e < VECTOR; ++e) {
      if (e < valid[k]) x[k].e[e] = g[e];
    }
#endif
  }
  Normal normal = normal_of_lanes(x, valid, width, n, 1.0f, eps);
  // rstd is 0 where squares overflowed and NaN where sums did; shuffles want the whole warp along.
  const bool lost = !(normal.rstd > 0.0f) || !is_finite(normal.high);
  if (__any_sync(ALL, lost)) {
    const Normal shrunk = normal_of_lanes(x, valid, width, n, SHRINK, eps);
    if (lost) normal = shrunk;
  }
  if (group >= items) return;
  const int groups = channels / per_group, first_channel = static_cast<int>(group % groups) * per_group;
  if (g_statistics && lane == 0) {
    g_statistics[3 * group] = normal.high / normal.scale;
    g_statistics[3 * group + 1] = normal.low / normal.scale;
    g_statistics[3 * group + 2] = normal.rstd * normal.scale;
  }
  Walk at(shape, lane * VECTOR, width * VECTOR);
#pragma unroll
  for (int k = 0; k < MOST; ++k) {
    if (!valid[k]) break;
    const Vector y = normalize_run(shape, affine, normal, at, first_channel, x[k], valid[k]);
    ELEMENT* g = g_y + group * n + (k * width + lane) * VECTOR;
#if ALIGNED
    store_vector(g, y);
#else
#pragma unroll
    for (int e = 0; e < VECTOR; ++e) {
      if (e < valid[k]) g[e] = y.e[e];
    }
#endif
    at.advance(shape);
  }
}
