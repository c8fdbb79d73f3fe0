// CUDA C++ for a C++ compiler: the words of the language, the built-in variables and functions that kernels use, and
// the functions of a kernel's device.cuh. What needs other threads is asked of the machine (abi.h).
//
// Left out on purpose, so that a kernel which uses it does not compile: atomics on floating-point numbers, whose order
// decides the bits; __threadfence_block, whose scope is not modelled. `__device__` variables, which would pass for
// shared memory, are refused before the compiler sees them.
// No pragma: it means nothing in a header that is itself precompiled.
#ifndef CUDA_ON_CPU_H
#define CUDA_ON_CPU_H

// The runtime API is for host code; its header wants more files than the package has.
#define __CUDA_RUNTIME_API_H__
#define __HOST_DEFINES_H__

#define __host__
#define __device__
#define __global__
#define __constant__ const
// One block's at a time: the machine swaps the contents when it turns to another block.
#define __shared__ static
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define __device_builtin__
#define __cudart_builtin__
#define __launch_bounds__(...)
#define CUDARTAPI
#define CUDA_ON_CPU_UNWATCHED __attribute__((no_sanitize("thread")))

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "abi.h"

using std::isfinite;
using std::isinf;
using std::isnan;

// Constant for the thread that reads them: the machine changes them only while another thread runs.
// Not dim3, whose constructor would make the compiler doubt that it is constant and watch each read.
extern "C" const uint3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;

#include "device_functions.h"
#include "memory.h"
#include "module.h"
#include "numbers.h"
#include "threads.h"

#endif
