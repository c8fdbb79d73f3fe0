// Numbers of the backward pass: elements in vectors as they are read, sums that keep what rounding takes, and what an
// activation does to a gradient.
//
// ELEMENT is the type of x, dy and dx; VECTOR how many of them one access moves (2 to 16 bytes): compile flags.
#pragma once

#include "elements.cuh"

namespace {

// Vectors of x, and as many of dy, that a thread has on their way at once: 256 threads, twice a multiprocessor, ask for
// 32 KB, where Little's law wants 17 (H100) to 24 (H200).
constexpr int BATCH = 2;

template <int BYTES>
struct Access;
template <>
struct Access<16> {
  using Type = uint4;
};
template <>
struct Access<8> {
  using Type = uint2;
};
template <>
struct Access<4> {
  using Type = unsigned;
};
template <>
struct Access<2> {
  using Type = unsigned short;
};
using Raw = Access<sizeof(Vector)>::Type;

__device__ __forceinline__ Vector load_vector(const ELEMENT* g) {
  const Raw raw = *reinterpret_cast<const Raw*>(g);
  Vector v;
  memcpy(&v, &raw, sizeof(v));
  return v;
}

__device__ __forceinline__ void store_vector(ELEMENT* g, const Vector& v) {
  Raw raw;
  memcpy(&raw, &v, sizeof(v));
  *reinterpret_cast<Raw*>(g) = raw;
}

// A sum as the float next to it and what rounding took (Knuth's two-sum): 48 bits for seven additions, on every GPU.
// A double would be exact too, at a 64th of the rate on sm_120.
struct Pair {
  float high, low;
};

__device__ __forceinline__ Pair add(Pair a, Pair b) {
  const float sum = a.high + b.high, of_b = sum - a.high;
  return {sum, (a.low + b.low) + ((a.high - (sum - of_b)) + (b.high - of_b))};
}

__device__ __forceinline__ float value(Pair a) {
  const float sum = a.high + a.low;
  return sum == sum ? sum : a.high;  // an infinite sum has taught its low part NaN
}

// Sum of dz * xhat and sum of dz: of one channel they are dweight and dbias.
struct Sums {
  Pair scale, shift;
};

__device__ __forceinline__ Sums add(const Sums& a, const Sums& b) {
  return {add(a.scale, b.scale), add(a.shift, b.shift)};
}
__device__ __forceinline__ Sums add(const Sums& a, float2 b) {
  return {add(a.scale, {b.x, 0.0f}), add(a.shift, {b.y, 0.0f})};
}

// All lanes get the sum of the warp's; in one order, so in the same bits.
__device__ __forceinline__ Sums sum_of_warp(Sums mine) {
  for (int other = 16; other > 0; other /= 2) {
    const Sums theirs = {{__shfl_xor_sync(ALL, mine.scale.high, other), __shfl_xor_sync(ALL, mine.scale.low, other)},
                         {__shfl_xor_sync(ALL, mine.shift.high, other), __shfl_xor_sync(ALL, mine.shift.low, other)}};
    mine = threadIdx.x & other ? add(theirs, mine) : add(mine, theirs);
  }
  return mine;
}

// weight and bias, each of x's type or float32, or absent.
struct Parameters {
  const void *g_weight, *g_bias;
  bool are_float;
  int activation;  // 0 none, 1 silu, 2 relu: the same for all threads

  __device__ __forceinline__ float load(const void* g, int channel, float absent) const {
    return parameter(g, are_float, channel, absent);
  }
};

// silu' = s + z * e * s * s with e = exp(-z), s = 1 / (1 + e): 1 - s is e * s, which does not cancel. Beyond 80 either
// way it is 0 or 1 to float32, and e * s would be infinity times 0.
__device__ __forceinline__ float differentiate(float dy, float z, int activation) {
  if (activation == 1) {
    const float bounded = z < -80.0f ? -80.0f : z > 80.0f ? 80.0f : z;  // a NaN stays
    const float e = device::exp2_approx(bounded * -1.4426950408889634f), s = device::reciprocal_approx(1.0f + e);
    return dy * fmaf(bounded * e * s, s, s);
  }
  return activation == 2 && z <= 0.0f ? 0.0f : dy;
}

// What an element needs of its channel: xhat = ((x - high) - low) * rstd, z = xhat * weight + bias, and then
// dx = rstd * (weight * dz - c1 - xhat * c2) as by_dz * dz + (by_xhat * xhat + rest).
struct Channel {
  float high, low, rstd, weight, bias;
  float by_dz, by_xhat, rest;

  __device__ __forceinline__ float normalize(float x) const { return ((x - high) - low) * rstd; }
  __device__ __forceinline__ float dz(float dy, float xhat, int activation) const {
    return differentiate(dy, fmaf(xhat, weight, bias), activation);
  }
  __device__ __forceinline__ float dx(float dz, float xhat) const { return fmaf(by_dz, dz, fmaf(by_xhat, xhat, rest)); }
};

// g_statistics: (N * G, 3) of the mean's high part, its low part, rstd.
__device__ __forceinline__ Channel channel_of(const float* g_statistics, const Parameters& parameters, long long group,
                                              int channel) {
  const float* g_group = g_statistics + 3 * group;
  return {g_group[0],
          g_group[1],
          g_group[2],
          parameters.load(parameters.g_weight, channel, 1.0f),
          parameters.load(parameters.g_bias, channel, 0.0f),
          0.0f,
          0.0f,
          0.0f};
}

// c1 and c2, the means over the group of weight * dz and of weight * dz * xhat. One element's xhat is 0 and its dx
// exactly 0, which the difference of two roundings would not be.
__device__ __forceinline__ void set_coefficients(Channel& channel, float2 c, bool one_element) {
  channel.by_dz = one_element ? 0.0f : channel.rstd * channel.weight;
  channel.by_xhat = -(channel.rstd * c.y);
  channel.rest = one_element ? 0.0f : -(channel.rstd * c.x);
}

}  // namespace
