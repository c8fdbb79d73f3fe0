// GroupNorm backward in CUDA C++: dx, dweight and dbias, each if wanted, the activation's part recomputed from x.
//
// With dz = dy * act'(z), sums over a channel's positions A = sum dz * xhat and B = sum dz, M elements a group:
//   dx = rstd * (weight * dz - c1 - xhat * c2), c1 = sum over the group's channels of weight * B / M, c2 of weight * A / M
//   dweight = A and dbias = B, summed over the samples.
//
// Bytes: 3 S (x, dy, dx) where x and dy of an item (a group, or a tile of several) lie in the L1 of the block that
// reads them twice (`together`); 5 S in three kernels otherwise (`sums`, `combine`, `apply`, which walks backwards so
// that it begins with what `sums` left in the L2). Each sum has one writer, and is added up in the order of its number.

#include "backward_lines.cuh"

#define PARAMETERS                                                                                                 \
  const ELEMENT *__restrict__ g_dy, const ELEMENT *__restrict__ g_x, const float *__restrict__ g_statistics,       \
      const void *__restrict__ g_weight, const void *__restrict__ g_bias, ELEMENT *__restrict__ g_dx,              \
      float2 *g_partials, float2 *g_coefficients, int channels, int per_group, int positions, int tile,            \
      int stretches, int stretch, int each, int width, int size, int activation, int parameters_are_float
#define SHAPE \
  { channels, per_group, positions, tile, stretches, stretch, each, width, size }
#define GIVEN                              \
  {                                        \
    g_dy, g_x, g_statistics, { g_weight, g_bias, parameters_are_float != 0, activation } \
  }

// (N, C, stretches) entries to g_partials.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2) sums(PARAMETERS) {
  extern __shared__ float4 s_all[];
  const Shape shape = SHAPE;
  const Given given = GIVEN;
  const Slice slice = slice_of(shape, blockIdx.x);
  sum_slice(shape, slice, given, reinterpret_cast<float2*>(s_all), [&](int entry, int, float scale, float shift) {
    g_partials[slice.entry + entry] = make_float2(scale, shift);
  });
}

// One block a slice, the last first.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2) apply(PARAMETERS) {
  const Shape shape = SHAPE;
  const Given given = GIVEN;
  const Slice slice = slice_of(shape, gridDim.x - 1 - blockIdx.x);
  const bool one_element = static_cast<long long>(per_group) * positions == 1;
  apply_slice(shape, slice, given, g_coefficients + slice.group, one_element, g_dx);
}

// One block an item, whose x and dy are read again at once. Dynamic shared memory: a float2 of each of the tile's
// entries, one of each of its groups, then the table of channels_last.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2) together(PARAMETERS) {
  extern __shared__ float4 s_all[];
  const Shape shape = SHAPE;
  const Given given = GIVEN;
  const Slice slice = slice_of(shape, blockIdx.x);
  const int entries = tile * stretches, groups = tile / per_group, of_group = per_group * stretches;
  float2 *s_entries = reinterpret_cast<float2*>(s_all), *s_coefficients = s_entries + entries;
  sum_slice(shape, slice, given, s_coefficients + groups, [&](int entry, int channel, float scale, float shift) {
    if (g_partials) g_partials[slice.entry + entry] = make_float2(scale, shift);
    const float weight = given.parameters.load(g_weight, slice.channel + channel, 1.0f);
    s_entries[entry] = make_float2(weight * scale, weight * shift);
  });
  __syncthreads();
  const float count = static_cast<float>(static_cast<long long>(per_group) * positions);
  for (int group = threadIdx.x / 32; group < groups; group += blockDim.x / 32) {
    Sums all = {{0.0f, 0.0f}, {0.0f, 0.0f}};
    for (int i = threadIdx.x % 32; i < of_group; i += 32) all = add(all, s_entries[group * of_group + i]);
    all = sum_of_warp(all);
    if (threadIdx.x % 32 == 0) s_coefficients[group] = make_float2(value(all.shift) / count, value(all.scale) / count);
  }
  __syncthreads();
  apply_slice(shape, slice, given, s_coefficients, count == 1.0f, g_dx);
}

// A warp's sum of what read(i), i < count, gives.
template <typename Read>
__device__ __forceinline__ Sums sum_all(long long count, Read read) {
  Sums all = {{0.0f, 0.0f}, {0.0f, 0.0f}};
  for (long long i = threadIdx.x % 32; i < count; i += 32) all = add(all, read(i));
  return sum_of_warp(all);
}

__device__ __forceinline__ void store_parameter(float v, void* g, int channel, bool are_float) {
  if (are_float) {
    static_cast<float*>(g)[channel] = v;
  } else {
    narrow(v, static_cast<ELEMENT*>(g) + channel);
  }
}

// Adds up partials (N, C, stretches), a warp a sum: `groups` (all samples') to g_coefficients, then the channels'
// dweight and dbias, each if it is not null.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 2)
    combine(const float2* __restrict__ g_partials, const void* __restrict__ g_weight, float2* g_coefficients,
            void* g_dweight, void* g_dbias, int samples, int groups, int channels, int per_group, int positions,
            int stretches, int parameters_are_float) {
  const Parameters parameters = {g_weight, nullptr, parameters_are_float != 0, 0};
  const long long task = static_cast<long long>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  const bool writes = threadIdx.x % 32 == 0;
  if (task < groups) {
    const long long row = task * per_group;
    const int channel = static_cast<int>(row % channels);
    const Sums all = sum_all(static_cast<long long>(per_group) * stretches, [&](long long i) {
      const float weight = parameters.load(g_weight, channel + static_cast<int>(i / stretches), 1.0f);
      const float2 both = g_partials[row * stretches + i];
      return make_float2(weight * both.x, weight * both.y);
    });
    const float count = static_cast<float>(static_cast<long long>(per_group) * positions);
    if (writes) g_coefficients[task] = make_float2(value(all.shift) / count, value(all.scale) / count);
  } else if (task - groups < channels && (g_dweight || g_dbias)) {
    const int channel = static_cast<int>(task - groups);
    const Sums all = sum_all(static_cast<long long>(samples) * stretches, [&](long long i) {
      const long long sample = i / stretches;
      return g_partials[(sample * channels + channel) * stretches + (i - sample * stretches)];
    });
    if (writes && g_dweight) store_parameter(value(all.scale), g_dweight, channel, parameters.are_float);
    if (writes && g_dbias) store_parameter(value(all.shift), g_dbias, channel, parameters.are_float);
  }
}
