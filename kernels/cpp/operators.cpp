// The row's three operators: checks and memory.
//
// NAMESPACE is a compile flag, for two revisions of this can be loaded into one process.

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>

#include "pages.h"
#include "problem.h"

// The kernels' own files, which LEVEL, a compile flag, names.
namespace groupnorm::LEVEL {
void forward(const Forward& call);
void backward(const Backward& call);
}  // namespace groupnorm::LEVEL

namespace {

using groupnorm::Activation;
using groupnorm::Backward;
using groupnorm::Forward;
using groupnorm::Parameter;
using groupnorm::Pool;
using groupnorm::Problem;
using groupnorm::Type;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using OptionalTensor = std::optional<Tensor>;

// One line that begins with the argument; STD_TORCH_CHECK's would begin with a function, a file and its line.
template <typename... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void refuse(const Parts&... parts) {
  std::ostringstream line;
  (line << ... << parts);
  throw std::runtime_error(line.str());
}

void run(int64_t count, int64_t grain, Pool::Work work, void* context) {
  STABLE_TORCH_ERROR_CODE_CHECK(torch_parallel_for(0, count, grain, work, context));
}

Type type_of(const Tensor& tensor, const char* name) {
  switch (tensor.scalar_type()) {
    case ScalarType::Float: return Type::f32;
    case ScalarType::Half: return Type::f16;
    case ScalarType::BFloat16: return Type::bf16;
    default: refuse(name, ": float32, float16 or bfloat16 is wanted");
  }
}

ScalarType scalar_of(const OptionalTensor& parameter) {
  return parameter ? parameter->scalar_type() : ScalarType::Float;
}

Parameter parameter_of(const OptionalTensor& given, int64_t C, const char* name) {
  if (!given) return {};
  if (given->numel() != C) refuse(name, ": ", C, " values are wanted, one a channel, not ", given->numel());
  if (!given->is_contiguous()) refuse(name, ": contiguous values are wanted");
  if (!given->is_cpu()) refuse(name, ": memory of the CPU is wanted");
  return {given->data_ptr(), type_of(*given, name)};
}

bool is_channels_last(const Tensor& x) {
  int64_t expected = x.size(1);
  for (int64_t i = x.dim() - 1; i >= 2; expected *= x.size(i--)) {
    if (x.size(i) != 1 && x.stride(i) != expected) return false;
  }
  return (x.size(1) == 1 || x.stride(1) == 1) && (x.size(0) == 1 || x.stride(0) == expected);
}

Problem problem_of(const Tensor& x, int64_t num_groups, int64_t activation) {
  if (x.dim() < 2) refuse("x: (N, C, ...) is wanted, not ", x.dim(), " dimensions");
  const int64_t N = x.size(0), C = x.size(1);
  if (num_groups < 1 || C % num_groups != 0) {
    refuse("num_groups: ", C, " channels cannot be divided into ", num_groups, " groups");
  }
  if (activation < 0 || activation > 2) refuse("activation=", activation, ": 0, 1 or 2 is wanted");
  const bool is_contiguous = x.is_contiguous();
  if (!is_contiguous && !is_channels_last(x)) refuse("x: contiguous or channels_last memory is wanted");
  int64_t P = 1;
  for (int64_t i = 2; i < x.dim(); ++i) P *= x.size(i);
  return {N, C, P, num_groups, !is_contiguous, type_of(x, "x"), Activation{activation},
          Pool{run, static_cast<int64_t>(torch::stable::get_num_threads())}};
}

Tensor normalize(const Tensor& x, int64_t num_groups, const OptionalTensor& weight, const OptionalTensor& bias,
                 double eps, int64_t activation, Tensor* statistics) {
  const Problem problem = problem_of(x, num_groups, activation);
  const Parameter w = parameter_of(weight, problem.C, "weight"), b = parameter_of(bias, problem.C, "bias");
  Tensor y = torch::stable::empty_like(x);
  if (statistics) *statistics = torch::stable::new_empty(x, {problem.N, problem.G, 3}, ScalarType::Float);
  if (x.numel() == 0) {
    if (statistics) torch::stable::zero_(*statistics);
    return y;
  }
  void* to = y.data_ptr();
  const int64_t bytes = y.numel() * static_cast<int64_t>(y.element_size());
  groupnorm::prefer_huge_pages(to, bytes);
  groupnorm::LEVEL::forward(
      {problem, x.data_ptr(), to, w, b, eps, statistics ? static_cast<float*>(statistics->data_ptr()) : nullptr,
       bytes >= groupnorm::streamed_from(problem.channels_last)});
  return y;
}

Tensor group_norm(const Tensor& x, int64_t num_groups, const OptionalTensor& weight, const OptionalTensor& bias,
                  double eps, int64_t activation) {
  return normalize(x, num_groups, weight, bias, eps, activation, nullptr);
}

std::tuple<Tensor, Tensor> group_norm_training(const Tensor& x, int64_t num_groups, const OptionalTensor& weight,
                                               const OptionalTensor& bias, double eps, int64_t activation) {
  Tensor statistics;
  Tensor y = normalize(x, num_groups, weight, bias, eps, activation, &statistics);
  return {y, statistics};
}

std::tuple<Tensor, Tensor, Tensor> group_norm_backward(
    const Tensor& dy, const Tensor& x, const Tensor& statistics, int64_t num_groups, const OptionalTensor& weight,
    const OptionalTensor& bias, int64_t activation, bool need_dx, bool need_dweight, bool need_dbias) {
  const Problem problem = problem_of(x, num_groups, activation);
  const Parameter w = parameter_of(weight, problem.C, "weight"), b = parameter_of(bias, problem.C, "bias");
  const bool is_alike = dy.numel() == x.numel() && dy.dim() == x.dim() && dy.scalar_type() == x.scalar_type() &&
                        (problem.channels_last ? is_channels_last(dy) : dy.is_contiguous());
  if (!is_alike) refuse("dy: x's shape, type and memory format are wanted");
  const bool is_whole = statistics.numel() == problem.N * problem.G * 3 && statistics.is_contiguous() &&
                        statistics.scalar_type() == ScalarType::Float;
  if (!is_whole) refuse("statistics: (N, G, 3) of float32 is wanted");
  Tensor dx = need_dx ? torch::stable::empty_like(x) : torch::stable::new_empty(x, {0});
  Tensor dweight = torch::stable::new_empty(x, {need_dweight ? problem.C : 0}, scalar_of(weight));
  Tensor dbias = torch::stable::new_empty(x, {need_dbias ? problem.C : 0}, scalar_of(bias));
  if (x.numel() == 0) {
    torch::stable::zero_(dweight), torch::stable::zero_(dbias);
    return {dx, dweight, dbias};
  }
  if (need_dx) groupnorm::prefer_huge_pages(dx.data_ptr(), dx.numel() * dx.element_size());
  const auto data = [](Tensor& tensor, bool needed) { return needed ? tensor.data_ptr() : nullptr; };
  groupnorm::LEVEL::backward({problem, dy.data_ptr(), x.data_ptr(), static_cast<const float*>(statistics.data_ptr()), w, b,
                      data(dx, need_dx), data(dweight, need_dweight), data(dbias, need_dbias),
                      type_of(dweight, "weight"), type_of(dbias, "bias")});
  return {dx, dweight, dbias};
}

}  // namespace

#define FORWARD_ARGUMENTS "(Tensor x, int num_groups, Tensor? weight, Tensor? bias, float eps, int activation)"

STABLE_TORCH_LIBRARY_FRAGMENT(NAMESPACE, m) {
  m.def("cpp_group_norm" FORWARD_ARGUMENTS " -> Tensor");
  m.def("cpp_group_norm_training" FORWARD_ARGUMENTS " -> (Tensor, Tensor)");
  m.def("cpp_group_norm_backward(Tensor dy, Tensor x, Tensor statistics, int num_groups, Tensor? weight, Tensor? bias,"
        " int activation, bool need_dx, bool need_dweight, bool need_dbias) -> (Tensor, Tensor, Tensor)");
}

STABLE_TORCH_LIBRARY_IMPL(NAMESPACE, CPU, m) {
  m.impl("cpp_group_norm", TORCH_BOX(&group_norm));
  m.impl("cpp_group_norm_training", TORCH_BOX(&group_norm_training));
  m.impl("cpp_group_norm_backward", TORCH_BOX(&group_norm_backward));
}
