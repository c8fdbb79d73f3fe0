// The instruction sets that the kernels were compiled for, the best first, and which of them this CPU has.

#pragma once

#include <cstring>
#include <string>

#include "problem.h"

namespace groupnorm {

#define GROUPNORM_LEVEL(level)         \
  namespace level {                    \
  void forward(const Forward& call);   \
  void backward(const Backward& call); \
  }

#if defined(__x86_64__)
GROUPNORM_LEVEL(avx512)
GROUPNORM_LEVEL(avx2)
#endif
GROUPNORM_LEVEL(portable)

struct Level {
  const char* name;
  bool is_possible;
  Kernels kernels;
};

inline const auto& levels() {
  static const Level all[] = {
#if defined(__x86_64__)
      {"avx512",
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl"),
       {avx512::forward, avx512::backward}},
      {"avx2",
       __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"),
       {avx2::forward, avx2::backward}},
#endif
      {"portable", true, {portable::forward, portable::backward}},
  };
  return all;
}

// Gives the kernels of the level named, or of the best one; none where this CPU lacks it.
inline const Kernels* level(const char* name) {
  for (const Level& level : levels()) {
    if (level.is_possible && (name == nullptr || std::strcmp(name, level.name) == 0)) return &level.kernels;
  }
  return nullptr;
}

inline std::string names() {
  std::string all;
  for (const Level& level : levels()) {
    if (level.is_possible) all += (all.empty() ? "" : ", ") + std::string(level.name);
  }
  return all;
}

}  // namespace groupnorm
