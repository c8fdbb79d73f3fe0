// The table of a module's kernels.
#pragma once

#include "cuda_on_cpu.h"

namespace cuda_on_cpu {

template <typename... A, std::size_t... i>
void call(void (*kernel)(A...), void** arguments, std::index_sequence<i...>) {
  kernel(*static_cast<std::decay_t<A>*>(arguments[i])...);
}

template <typename>
struct Shape;
template <typename... A>
struct Shape<void (*)(A...)> {
  static constexpr std::size_t count = sizeof...(A);
  static constexpr std::size_t sizes[count + 1] = {sizeof(std::decay_t<A>)..., 0};
};

template <auto kernel>
constexpr CudaOnCpuKernel entry(const char* name) {
  using S = Shape<decltype(kernel)>;
  return {name, [](void** arguments) { call(kernel, arguments, std::make_index_sequence<S::count>()); }, S::sizes,
          S::count};
}

}  // namespace cuda_on_cpu
