// What passes between the operators, which know torch, and the kernels, which know the instruction set.

#pragma once

#include <cstdint>

namespace groupnorm {

enum class Type : int64_t { f32, f16, bf16 };
enum class Activation : int64_t { none, silu, relu };  // kernels.table.ACTIVATIONS

// Runs work(begin, end, context) over parts of [0, count) on torch's own threads, a part at least `grain` long.
struct Pool {
  using Work = void (*)(int64_t begin, int64_t end, void* context);
  void (*run)(int64_t count, int64_t grain, Work work, void* context);
  int64_t threads;
};

struct Problem {
  int64_t N, C, P, G;  // P: positions, the product of the sizes after C
  bool channels_last;  // x is (N, P, C) in memory, not (N, C, P)
  Type type;
  Activation activation;
  Pool pool;

  int64_t channels() const { return C / G; }
  int64_t elements() const { return C / G * P; }  // of a group
};

struct Parameter {
  const void* data = nullptr;  // (C,); none where weight or bias is not given
  Type type = Type::f32;
};

struct Forward {
  Problem problem;
  const void* x;
  void* y;
  Parameter weight, bias;
  double eps;
  float* statistics;  // (N, G, 3): mean high, mean low, rstd; none where nobody asks
  bool streams;       // y past the caches
};

struct Backward {
  Problem problem;
  const void *dy, *x;
  const float* statistics;  // (N, G, 3)
  Parameter weight, bias;
  void *dx, *dweight, *dbias;  // none where not wanted; dweight and dbias are of parameter_type
  Type dweight_type, dbias_type;
};

}  // namespace groupnorm
