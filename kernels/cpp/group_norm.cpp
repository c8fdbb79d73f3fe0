// GroupNorm forward on the CPU, one call fused with its activation, float32 arithmetic whatever the type of x.
//
// Bytes: x is read for the statistics and again for the output; a group that fits a core's cache is read once.
// Statistics: tiles that fit L1 are summed about a shift near their own mean, and tiles are combined by Chan, Golub
// and LeVeque's update in double. The mean is kept as a float and its remainder, so a spread of 1e-2 around 3e3
// survives, where E[x^2] - E[x]^2 in float32 gives no digit.
// Who sums what follows from the shape, never from the number of threads: results are the same for any number.
//
// NAMESPACE is a compile flag, for two revisions of this file can be loaded into one process.

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace {

using torch::headeronly::BFloat16;
using torch::headeronly::Half;
using torch::headeronly::ScalarType;
using torch::stable::Tensor;

constexpr int64_t kTile = 4096;       // elements: 16 KB of float32, half of the smallest L1 about
constexpr int64_t kChunkTiles = 16;   // tiles that share a shift; at most 16 : 1 of a variance can cancel
constexpr int64_t kGrain = 32768;     // elements a thread is worth waking for, as in torch's own loops

enum class Activation : int64_t { none = 0, silu = 1, relu = 2 };

// ---- Types: tiles are widened to float32, in place where x is float32 already ----

template <typename T>
void widen(const T* from, float* to, int64_t count) {
  int64_t i = 0;
  if constexpr (std::is_same_v<T, BFloat16>) {
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) {
      const uint32_t bits = static_cast<uint32_t>(from[j].x) << 16;
      std::memcpy(to + j, &bits, sizeof bits);
    }
    return;
  }
#if defined(__F16C__)
  if constexpr (std::is_same_v<T, Half>) {
    for (; i + 8 <= count; i += 8) {
      _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
    }
  }
#endif
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

template <typename T>
void narrow(const float* from, T* to, int64_t count) {
  int64_t i = 0;
  if constexpr (std::is_same_v<T, BFloat16>) {
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) {
      uint32_t bits;
      std::memcpy(&bits, from + j, sizeof bits);
      const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;  // to nearest, ties to even
      const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
      to[j].x = static_cast<uint16_t>(is_nan ? 0x7FC0u : rounded);
    }
    return;
  }
#if defined(__F16C__)
  if constexpr (std::is_same_v<T, Half>) {
    for (; i + 8 <= count; i += 8) {
      const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), half);
    }
  }
#endif
  for (; i < count; ++i) to[i] = static_cast<T>(from[i]);
}

// `room` is used only where T is narrower than float32.
template <typename T>
const float* as_float(const T* from, float* room, int64_t count) {
  if constexpr (std::is_same_v<T, float>) {
    return from;
  } else {
    widen(from, room, count);
    return room;
  }
}

template <typename T>
std::vector<float> room_for(int64_t count) {
  return std::vector<float>(std::is_same_v<T, float> ? 0 : count);
}

// ---- Activation ----

// exp by 2^n * p(r), |r| <= ln2 / 2, degree 6: within 2 ULP; branchless, so that loops around it are vectorised.
inline float exponential(float v) {
  v = v < -87.0f ? -87.0f : v;
  v = v > 88.8f ? 88.8f : v;  // rounds to n = 128: infinity
  const float n = (v * 1.44269504f + 12582912.0f) - 12582912.0f;
  const float r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.98412698e-4f * 7.0f;  // 1 / 6!
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

template <Activation A>
inline float activate(float v) {
  if constexpr (A == Activation::silu) return v / (1.0f + exponential(-v));
  if constexpr (A == Activation::relu) return v < 0.0f ? 0.0f : v;  // a NaN stays
  return v;
}

// ---- Statistics ----

struct Moments {
  double count = 0, mean = 0, m2 = 0;

  // Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
  void add(double other_count, double other_mean, double other_m2) {
    const double total = count + other_count, delta = other_mean - mean;
    mean += delta * (other_count / total);
    m2 += other_m2 + delta * delta * (count * other_count / total);
    count = total;
  }
};

struct Affine {
  float high, low, scale, bias;  // y = ((x - high) - low) * scale + bias
};

double rstd_of(const Moments& group, double eps) {
  const double variance = group.m2 > 0 ? group.m2 / group.count : 0.0 * group.m2;  // NaN stays
  return 1.0 / std::sqrt(variance + eps);
}

Affine affine_of(const Moments& group, double rstd, float weight, float bias) {
  const float high = static_cast<float>(group.mean);
  return {high, static_cast<float>(group.mean - high), static_cast<float>(weight * rstd), bias};
}

// GCC and clang both know this; where registers are narrower than 64 bytes they split it.
using Vector = float __attribute__((vector_size(64)));
constexpr int64_t kWidth = 16, kStep = 4 * kWidth;  // four sums at once: one addition waits 4 cycles for the last

inline Vector load(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

inline float total(Vector v) {
  float sum = 0;
  for (int64_t i = 0; i < kWidth; ++i) sum += v[i];
  return sum;
}

float sum_of_tile(const float* x, int64_t count) {
  Vector s0{}, s1{}, s2{}, s3{};
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    s0 += load(x + i), s1 += load(x + i + kWidth), s2 += load(x + i + 2 * kWidth), s3 += load(x + i + 3 * kWidth);
  }
  float sum = total((s0 + s1) + (s2 + s3));
  for (; i < count; ++i) sum += x[i];
  return sum;
}

Moments moments_of_tile(const float* x, int64_t count) {
  const float shift = sum_of_tile(x, count) / static_cast<float>(count);
  Vector first0{}, first1{}, second0{}, second1{};
  int64_t i = 0;
  for (; i + 2 * kWidth <= count; i += 2 * kWidth) {
    const Vector a = load(x + i) - shift, b = load(x + i + kWidth) - shift;
    first0 += a, first1 += b, second0 += a * a, second1 += b * b;
  }
  float first = total(first0 + first1), second = total(second0 + second1);
  for (; i < count; ++i) {
    const float centered = x[i] - shift;
    first += centered, second += centered * centered;
  }
  const double n = static_cast<double>(count), rest = first / n;
  return {n, shift + rest, second - first * rest};
}

template <typename T>
Moments moments_of_run(const T* x, int64_t count, float* room) {
  Moments all;
  for (int64_t begin = 0; begin < count; begin += kTile) {
    const int64_t length = std::min(kTile, count - begin);
    const Moments tile = moments_of_tile(as_float(x + begin, room, length), length);
    all.add(tile.count, tile.mean, tile.m2);
  }
  return all;
}

// ---- The problem ----

struct Shape {
  int64_t N, C, P, G;  // P: positions, the product of the sizes after C
  int64_t channels() const { return C / G; }
};

struct Parameters {
  std::vector<float> weight, bias;
  double eps;
};

// ---- Contiguous: a group is one run of memory ----

template <typename T, Activation A>
void normalize_run(const T* x, T* y, int64_t count, const Affine& a, float* room) {
  for (int64_t begin = 0; begin < count; begin += kTile) {
    const int64_t length = std::min(kTile, count - begin);
    const float* from = as_float(x + begin, room, length);
    float* to;
    if constexpr (std::is_same_v<T, float>) to = y + begin; else to = room;
#pragma omp simd
    for (int64_t i = 0; i < length; ++i) to[i] = activate<A>(((from[i] - a.high) - a.low) * a.scale + a.bias);
    if constexpr (!std::is_same_v<T, float>) narrow(to, y + begin, length);
  }
}

// One position: neighbors are channels, so the weights run along. As rows of channels it was 7 times slower than torch.
template <typename T, Activation A>
void normalize_channels(const T* x, T* y, int64_t count, const Affine& a, const float* weight, const float* bias,
                        float* room) {
  for (int64_t begin = 0; begin < count; begin += kTile) {
    const int64_t length = std::min(kTile, count - begin);
    const float* from = as_float(x + begin, room, length);
    float* to;
    if constexpr (std::is_same_v<T, float>) to = y + begin; else to = room;
    const float *w = weight + begin, *b = bias + begin;
#pragma omp simd
    for (int64_t i = 0; i < length; ++i) {
      to[i] = activate<A>(((from[i] - a.high) - a.low) * (a.scale * w[i]) + b[i]);
    }
    if constexpr (!std::is_same_v<T, float>) narrow(to, y + begin, length);
  }
}

template <typename T, Activation A>
void contiguous(const T* x, T* y, const Shape& shape, const Parameters& parameters) {
  const int64_t elements = shape.channels() * shape.P;
  const int64_t grain = std::max<int64_t>(1, kGrain / elements);
  torch::stable::parallel_for(0, shape.N * shape.G, grain, [&](int64_t begin, int64_t end) {
    std::vector<float> room = room_for<T>(kTile);
    for (int64_t group = begin; group < end; ++group) {
      const Moments moments = moments_of_run(x + group * elements, elements, room.data());
      const double rstd = rstd_of(moments, parameters.eps);
      const int64_t first = group % shape.G * shape.channels();
      if (shape.P == 1) {
        const Affine a = affine_of(moments, rstd, 1.0f, 0.0f);
        normalize_channels<T, A>(x + group * elements, y + group * elements, elements, a, &parameters.weight[first],
                                 &parameters.bias[first], room.data());
        continue;
      }
      for (int64_t d = 0; d < shape.channels(); ++d) {
        const int64_t c = first + d, at = group * elements + d * shape.P;
        const Affine a = affine_of(moments, rstd, parameters.weight[c], parameters.bias[c]);
        normalize_run<T, A>(x + at, y + at, shape.P, a, room.data());
      }
    }
  });
}

// ---- channels_last: a row holds all channels of one position ----

struct Rows {
  int64_t tile, chunk, chunks;  // rows of a tile and of a chunk; chunks of a sample
  explicit Rows(const Shape& shape) {
    tile = std::max<int64_t>(1, kTile / shape.C);
    chunk = tile * kChunkTiles;
    chunks = (shape.P + chunk - 1) / chunk;
  }
};

void add_rows(const float* x, int64_t rows, int64_t C, float* sum) {
  for (int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) sum[c] += x[r * C + c];
  }
}

void add_centered_rows(const float* x, int64_t rows, int64_t C, const float* shift, float* first, float* second) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {  // four rows for one load and store of the sums
    const float *x0 = x + r * C, *x1 = x0 + C, *x2 = x1 + C, *x3 = x2 + C;
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) {
      const float a = x0[c] - shift[c], b = x1[c] - shift[c], d = x2[c] - shift[c], e = x3[c] - shift[c];
      first[c] += (a + b) + (d + e);
      second[c] += (a * a + b * b) + (d * d + e * e);
    }
  }
  for (; r < rows; ++r) {
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) {
      const float centered = x[r * C + c] - shift[c];
      first[c] += centered;
      second[c] += centered * centered;
    }
  }
}

// A channel's shift is its mean over the chunk's first tile.
template <typename T>
void moments_of_chunk(const T* x, int64_t rows, const Shape& shape, int64_t tile, Moments* groups) {
  const int64_t C = shape.C;
  std::vector<float> room = room_for<T>(tile * C), shift(C), first(C), second(C);
  std::vector<double> firsts(C), seconds(C);
  for (int64_t begin = 0; begin < rows; begin += tile) {
    const int64_t length = std::min(tile, rows - begin);
    const float* from = as_float(x + begin * C, room.data(), length * C);
    if (begin == 0) {
      add_rows(from, length, C, shift.data());
      for (float& s : shift) s /= static_cast<float>(length);
    }
    std::fill(first.begin(), first.end(), 0.0f);
    std::fill(second.begin(), second.end(), 0.0f);
    add_centered_rows(from, length, C, shift.data(), first.data(), second.data());
    for (int64_t c = 0; c < C; ++c) {
      firsts[c] += first[c];
      seconds[c] += second[c];
    }
  }
  const double n = static_cast<double>(rows);
  for (int64_t c = 0; c < C; ++c) {
    const double rest = firsts[c] / n;
    groups[c / shape.channels()].add(n, shift[c] + rest, seconds[c] - firsts[c] * rest);
  }
}

template <typename T>
std::vector<Moments> moments_of_rows(const T* x, const Shape& shape, const Rows& rows, int64_t grain) {
  std::vector<Moments> parts(shape.N * rows.chunks * shape.G);
  torch::stable::parallel_for(0, shape.N * rows.chunks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t n = part / rows.chunks, row = part % rows.chunks * rows.chunk;
      const int64_t length = std::min(rows.chunk, shape.P - row);
      moments_of_chunk(x + (n * shape.P + row) * shape.C, length, shape, rows.tile, &parts[part * shape.G]);
    }
  });
  std::vector<Moments> groups(shape.N * shape.G);
  for (int64_t part = 0; part < shape.N * rows.chunks; ++part) {
    for (int64_t g = 0; g < shape.G; ++g) {
      const Moments& m = parts[part * shape.G + g];
      groups[part / rows.chunks * shape.G + g].add(m.count, m.mean, m.m2);
    }
  }
  return groups;
}

struct Channels {
  std::vector<float> high, low, scale, bias;

  Channels(const Moments* groups, const Shape& shape, const Parameters& parameters)
      : high(shape.C), low(shape.C), scale(shape.C), bias(parameters.bias) {
    double rstd = 0;
    for (int64_t c = 0; c < shape.C; ++c) {
      const Moments& group = groups[c / shape.channels()];
      if (c % shape.channels() == 0) rstd = rstd_of(group, parameters.eps);
      const Affine a = affine_of(group, rstd, parameters.weight[c], 0.0f);
      high[c] = a.high, low[c] = a.low, scale[c] = a.scale;
    }
  }
};

template <Activation A>
void normalize_row(const float* x, float* y, int64_t C, const Channels& channels) {
  const float *high = channels.high.data(), *low = channels.low.data();
  const float *scale = channels.scale.data(), *bias = channels.bias.data();
#pragma omp simd
  for (int64_t c = 0; c < C; ++c) y[c] = activate<A>(((x[c] - high[c]) - low[c]) * scale[c] + bias[c]);
}

template <typename T, Activation A>
void channels_last(const T* x, T* y, const Shape& shape, const Parameters& parameters) {
  const Rows rows(shape);
  const int64_t C = shape.C, grain = std::max<int64_t>(1, kGrain / (std::min(rows.chunk, shape.P) * C));
  const std::vector<Moments> groups = moments_of_rows(x, shape, rows, grain);
  std::vector<Channels> samples;
  for (int64_t n = 0; n < shape.N; ++n) samples.emplace_back(&groups[n * shape.G], shape, parameters);
  torch::stable::parallel_for(0, shape.N * rows.chunks, grain, [&](int64_t begin, int64_t end) {
    std::vector<float> room = room_for<T>(C);
    for (int64_t part = begin; part < end; ++part) {
      const int64_t n = part / rows.chunks, row = part % rows.chunks * rows.chunk;
      const int64_t last = std::min(row + rows.chunk, shape.P);
      for (int64_t at = (n * shape.P + row) * C; at < (n * shape.P + last) * C; at += C) {
        const float* from = as_float(x + at, room.data(), C);
        if constexpr (std::is_same_v<T, float>) {
          normalize_row<A>(from, y + at, C, samples[n]);
        } else {
          normalize_row<A>(from, room.data(), C, samples[n]);
          narrow(room.data(), y + at, C);
        }
      }
    }
  });
}

// ---- The operator ----

std::vector<float> as_floats(const std::optional<Tensor>& parameter, int64_t C, float otherwise) {
  std::vector<float> values(C, otherwise);
  if (!parameter) return values;
  const bool is_run = parameter->numel() == C && parameter->is_contiguous();
  STD_TORCH_CHECK(is_run, "weight and bias: C contiguous values are wanted");
  const void* data = parameter->data_ptr();
  switch (parameter->scalar_type()) {
    case ScalarType::Float: std::memcpy(values.data(), data, C * sizeof(float)); break;
    case ScalarType::Half: widen(static_cast<const Half*>(data), values.data(), C); break;
    case ScalarType::BFloat16: widen(static_cast<const BFloat16*>(data), values.data(), C); break;
    default: STD_TORCH_CHECK(false, "weight and bias: float32, float16 or bfloat16 is wanted");
  }
  return values;
}

bool is_channels_last(const Tensor& x) {
  int64_t expected = x.size(1);
  for (int64_t i = x.dim() - 1; i >= 2; expected *= x.size(i--)) {
    if (x.size(i) != 1 && x.stride(i) != expected) return false;
  }
  return (x.size(1) == 1 || x.stride(1) == 1) && (x.size(0) == 1 || x.stride(0) == expected);
}

template <typename T, Activation A>
void compute(const Tensor& x, Tensor& y, const Shape& shape, const Parameters& parameters) {
  const T* from = static_cast<const T*>(x.data_ptr());
  T* to = static_cast<T*>(y.data_ptr());
  if (x.is_contiguous()) return contiguous<T, A>(from, to, shape, parameters);
  channels_last<T, A>(from, to, shape, parameters);
}

template <typename T>
void dispatch(const Tensor& x, Tensor& y, const Shape& shape, const Parameters& parameters, Activation activation) {
  switch (activation) {
    case Activation::none: return compute<T, Activation::none>(x, y, shape, parameters);
    case Activation::silu: return compute<T, Activation::silu>(x, y, shape, parameters);
    case Activation::relu: return compute<T, Activation::relu>(x, y, shape, parameters);
  }
}

Tensor group_norm(
    const Tensor& x, int64_t num_groups, const std::optional<Tensor>& weight, const std::optional<Tensor>& bias,
    double eps, int64_t activation) {
  STD_TORCH_CHECK(x.dim() >= 2, "x: (N, C, ...) is wanted");
  const int64_t N = x.size(0), C = x.size(1);
  STD_TORCH_CHECK(num_groups > 0 && C % num_groups == 0, "C = ", C, " is not divisible by ", num_groups, " groups");
  STD_TORCH_CHECK(x.is_contiguous() || is_channels_last(x), "x: contiguous or channels_last memory is wanted");
  Tensor y = torch::stable::empty_like(x);
  if (x.numel() == 0) return y;
  const Shape shape{N, C, x.numel() / (N * C), num_groups};
  const Parameters parameters{as_floats(weight, C, 1.0f), as_floats(bias, C, 0.0f), eps};
  switch (x.scalar_type()) {
    case ScalarType::Float: dispatch<float>(x, y, shape, parameters, Activation{activation}); break;
    case ScalarType::Half: dispatch<Half>(x, y, shape, parameters, Activation{activation}); break;
    case ScalarType::BFloat16: dispatch<BFloat16>(x, y, shape, parameters, Activation{activation}); break;
    default: STD_TORCH_CHECK(false, "x: float32, float16 or bfloat16 is wanted");
  }
  return y;
}

}  // namespace

STABLE_TORCH_LIBRARY_FRAGMENT(NAMESPACE, m) {
  m.def("cpp_group_norm(Tensor x, int num_groups, Tensor? weight, Tensor? bias, float eps, int activation) -> Tensor");
}

STABLE_TORCH_LIBRARY_IMPL(NAMESPACE, CPU, m) {
  m.impl("cpp_group_norm", TORCH_BOX(&group_norm));
}
