// GroupNorm forward in CUDA C++, one call fused with its activation, float32 arithmetic whatever the type of x.
//
// Bytes: one block a group; x is read for the mean, for the squares about it and for the output: 2 S where a group
// stays in L2, 4 S where it does not.
// The squares are centered: E[x^2] - E[x]^2 in float32 has no digit left at a mean of 1e4 and a spread of 1. What
// rounding took from the mean is found by the second sweep and taken off as well. Sums have a fixed order.
//
// A group is `outer` lines of `inner` neighbors, `stride` elements apart: contiguous, a line is a channel's positions;
// channels_last, a line is one position's channels of the group. So both layouts are the same loops.
//
// ELEMENT is the type of x and y, PARAMETER that of weight and bias, ACTIVATION 0 none, 1 silu, 2 relu: compile flags.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace {

__device__ float widen(float v) { return v; }
__device__ float widen(__half v) { return __half2float(v); }
__device__ float widen(__nv_bfloat16 v) { return __bfloat162float(v); }

__device__ void narrow(float v, float* to) { *to = v; }
__device__ void narrow(float v, __half* to) { *to = __float2half_rn(v); }
__device__ void narrow(float v, __nv_bfloat16* to) { *to = __float2bfloat16_rn(v); }

__device__ float activate(float v) {
#if ACTIVATION == 1
  return v / (1.0f + expf(-v));
#elif ACTIVATION == 2
  return v < 0.0f ? 0.0f : v;  // a NaN stays
#else
  return v;
#endif
}

// Gives every thread the sum over the block, whose size is a multiple of 32, at most 1,024.
__device__ float sum_of_block(float v) {
  __shared__ float s_warps[32];
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x, warps = blockDim.x * blockDim.y / 32;
  for (int other = 16; other > 0; other /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, other);
  __syncthreads();  // the last sum has been read by all
  if (thread % 32 == 0) s_warps[thread / 32] = v;
  __syncthreads();
  v = thread % 32 < warps ? s_warps[thread % 32] : 0.0f;
  for (int other = 16; other > 0; other /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, other);
  return v;
}

template <typename Visit>
__device__ void for_each_of_group(long long outer, long long inner, long long stride, Visit visit) {
  for (long long o = threadIdx.y; o < outer; o += blockDim.y) {
    for (long long i = threadIdx.x; i < inner; i += blockDim.x) visit(o * stride + i, o, i);
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(1024, 1) group_norm(
    const ELEMENT* __restrict__ g_x,           // (N, C, positions) in either layout
    ELEMENT* __restrict__ g_y,                 // as x
    const PARAMETER* __restrict__ g_weight,    // (C,) or null
    const PARAMETER* __restrict__ g_bias,      // (C,) or null
    long long groups, long long channels,      // of a sample; of a group
    long long sample_stride, long long channel_stride,
    long long outer, long long inner, long long stride,
    int channels_last, double eps,
    float* __restrict__ g_statistics) {        // (N, groups, 3): mean, what rounding took from it, rstd; or null
  const long long group = blockIdx.x % groups, first_channel = group * channels;
  const long long base = blockIdx.x / groups * sample_stride + first_channel * channel_stride;
  const ELEMENT* g_in = g_x + base;
  ELEMENT* g_out = g_y + base;
  const float count = static_cast<float>(outer * inner);

  float sum = 0.0f;
  for_each_of_group(outer, inner, stride, [&](long long at, long long, long long) { sum += widen(g_in[at]); });
  const float mean = sum_of_block(sum) / count;

  float first = 0.0f, second = 0.0f;
  for_each_of_group(outer, inner, stride, [&](long long at, long long, long long) {
    const float centered = widen(g_in[at]) - mean;
    first += centered;
    second += centered * centered;
  });
  first = sum_of_block(first);
  second = sum_of_block(second);
  const float rest = first / count, raw = (second - first * rest) / count;
  const float variance = raw < 0.0f ? 0.0f : raw;  // a NaN stays
  const float rstd = 1.0f / sqrtf(variance + static_cast<float>(eps));
  if (g_statistics && threadIdx.x == 0 && threadIdx.y == 0) {
    float* g_mine = g_statistics + 3ll * blockIdx.x;
    g_mine[0] = mean;
    g_mine[1] = rest;
    g_mine[2] = rstd;
  }

  for_each_of_group(outer, inner, stride, [&](long long at, long long o, long long i) {
    const long long channel = first_channel + (channels_last ? i : o);
    float v = ((widen(g_in[at]) - mean) - rest) * rstd;
    if (g_weight) v *= widen(g_weight[channel]);
    if (g_bias) v += widen(g_bias[channel]);
    narrow(activate(v), g_out + at);
  });
}
