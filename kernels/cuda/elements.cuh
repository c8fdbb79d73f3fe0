// Elements of x as memory has them and as arithmetic wants them, and the parameters of a channel: forward and backward.
//
// Compile flags: ELEMENT, the type of x; VECTOR, how many of them one access moves.

#pragma once

#include "device.cuh"

namespace {

constexpr unsigned ALL = 0xFFFFFFFFu;

__device__ __forceinline__ float widen(float v) { return v; }
__device__ __forceinline__ float widen(__half v) { return __half2float(v); }

// Not by __bfloat162float: the assembler cannot repeat its asm volatile, so it keeps, and spills, what it widened.
__device__ __forceinline__ float widen(__nv_bfloat16 v) {
  unsigned short half;
  memcpy(&half, &v, 2);
  const unsigned bits = static_cast<unsigned>(half) << 16;
  float wide;
  memcpy(&wide, &bits, 4);
  return wide;
}

__device__ __forceinline__ void narrow(float v, float* to) { *to = v; }
__device__ __forceinline__ void narrow(float v, __half* to) { *to = __float2half_rn(v); }
__device__ __forceinline__ void narrow(float v, __nv_bfloat16* to) { *to = __float2bfloat16_rn(v); }

struct alignas(sizeof(ELEMENT) * VECTOR) Vector {
  ELEMENT e[VECTOR];
};

// weight or bias of a channel, which may be of x's type or float32.
__device__ __forceinline__ float parameter(const void* g, bool is_float, long long channel, float absent) {
  if (!g) return absent;
  return is_float ? static_cast<const float*>(g)[channel] : widen(static_cast<const ELEMENT*>(g)[channel]);
}

}  // namespace
