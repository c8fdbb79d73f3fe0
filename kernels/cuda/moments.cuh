// Mean and sum of squares about it, without loss.
//
// A batch of up to BATCH vectors in registers is summed twice: less its first value for the mean, less that mean for
// the squares and for what rounding took from the mean (the corrected two-pass; Chan, Golub, LeVeque 1983). Batches,
// lanes, warps and blocks are joined by their formula for pairs, in an order that depends on the shape alone. The mean
// is high + low throughout: at a mean of 1e4 and a spread of 1, float32's own last place is 1e-3.
//
// A constant stays exact: its batches have x - first = 0, and pairs of equal means have difference 0.

#pragma once

#include "memory.cuh"

namespace {

// Squares of 1e19 and sums of 1e38 overflow float32: those groups are summed once more times 2^-96. Then thirty million
// squares of 1e38 stay below 1e26, and a spread of 1e15, the least that overflows over so many, above 1e-14.
constexpr float SHRINK = 1.2621774483536189e-29f;

struct Moments {
  float n, high, low, m2;  // values counted; their mean; the sum of squares about it
};

__device__ __forceinline__ Moments join(const Moments& a, const Moments& b) {
  if (b.n == 0.0f) return a;
  if (a.n == 0.0f) return b;
  const float n = a.n + b.n, share = b.n * device::reciprocal_approx(n);
  const float apart = (b.high - a.high) + (b.low - a.low), move = apart * share;
  const float high = a.high + move, moved = high - a.high;
  const float lost = (a.high - (high - moved)) + (move - moved);  // Knuth's exact sum
  return {n, high, a.low + lost, a.m2 + b.m2 + apart * move * a.n};
}

__device__ __forceinline__ bool is_finite(float v) { return fabsf(v) <= 3.402823466e38f; }

__device__ __forceinline__ bool is_whole(const Moments& m) {
  return is_finite(m.high) && is_finite(m.low) && is_finite(m.m2);
}

// Joins the lanes that differ in bits from `least` up; all of them get the same.
__device__ __forceinline__ Moments join_lanes(Moments m, int least) {
  for (int other = least; other < 32; other *= 2) {
    const Moments o = {__shfl_xor_sync(ALL, m.n, other), __shfl_xor_sync(ALL, m.high, other),
                       __shfl_xor_sync(ALL, m.low, other), __shfl_xor_sync(ALL, m.m2, other)};
    m = threadIdx.x & other ? join(o, m) : join(m, o);
  }
  return m;
}

constexpr int SUMS = COLUMNWISE ? VECTOR : 1;  // moments that a thread keeps for one column

// What a thread has summed of one column: one count, SUMS moments.
struct Running {
  float n, high[SUMS], low[SUMS], m2[SUMS];

  __device__ __forceinline__ Moments sum(int s) const { return {n, high[s], low[s], m2[s]}; }
};

// Joins to `m` the values x[vector][element] * scale, of which valid[vector] are given (all or none if COLUMNWISE).
__device__ __forceinline__ void add_batch(Running& m, const Vector (&x)[BATCH], const int (&valid)[BATCH], float scale) {
  constexpr int EACH = VECTOR / SUMS;
  int count = 0;
#pragma unroll
  for (int k = 0; k < BATCH; ++k) count += SUMS > 1 ? valid[k] > 0 : valid[k];
  const float n = static_cast<float>(count), one = device::reciprocal_approx(n);
#pragma unroll
  for (int s = 0; s < SUMS; ++s) {
    const float first = widen(x[0].e[s]) * scale;
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < BATCH; ++k) {
#pragma unroll
      for (int e = 0; e < EACH; ++e) {
        if (e + s < valid[k]) sum += fmaf(widen(x[k].e[e + s]), scale, -first);
      }
    }
    const float mean = fmaf(sum, one, first);
    float rest = 0.0f, squares = 0.0f;
#pragma unroll
    for (int k = 0; k < BATCH; ++k) {
#pragma unroll
      for (int e = 0; e < EACH; ++e) {
        if (e + s < valid[k]) {
          const float centered = fmaf(widen(x[k].e[e + s]), scale, -mean);
          rest += centered;
          squares = fmaf(centered, centered, squares);
        }
      }
    }
    const float low = rest * one, exact = fmaf(-rest, low, squares);
    const Moments all = join(m.sum(s), {n, mean, low, exact < 0.0f ? 0.0f : exact});
    m.high[s] = all.high;
    m.low[s] = all.low;
    m.m2[s] = all.m2;
  }
  m.n += n;
}

// What normalizes a group: y = ((x * scale - high) - low) * rstd.
struct Normal {
  float high, low, rstd, scale;
};

// A slice that had to be shrunk says so by a negative count. Gives all lanes what the group of `count` entries,
// `stride` apart, comes to.
__device__ __forceinline__ Normal normal_of(const float4* entries, int count, int stride, float eps) {
  const int lane = threadIdx.x % 32;
  bool shrunk = false;
  for (int i = lane; i < count; i += 32) shrunk |= entries[i * stride].x < 0.0f;
  shrunk = __any_sync(ALL, shrunk);
  Moments all;
  for (;;) {
    all = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int i = lane; i < count; i += 32) {
      const float4 entry = entries[i * stride];
      const float by = shrunk && entry.x > 0.0f ? SHRINK : 1.0f;
      all = join(all, {fabsf(entry.x), entry.y * by, entry.z * by, entry.w * by * by});
    }
    all = join_lanes(all, 1);
    if (shrunk || is_whole(all)) break;
    shrunk = true;
  }
  const float scale = shrunk ? SHRINK : 1.0f, variance = all.m2 / all.n;
  const float high = all.high + all.low;  // normalized: rounding of the low parts adds up
  return {high, all.low - (high - all.high), 1.0f / sqrtf(variance + eps * scale * scale), scale};
}

}  // namespace
