// GroupNorm backward: a plain version, in double, one thread.

#include "statistics.h"

namespace groupnorm::LEVEL {

double value_at(const void* data, Type type, int64_t i) {
  switch (type) {
    case Type::f32: return static_cast<const float*>(data)[i];
    case Type::f16: return load(static_cast<const Half*>(data) + i, 1).a[0];
    default: return load(static_cast<const BFloat16*>(data) + i, 1).a[0];
  }
}

void put(void* data, Type type, int64_t i, double value) {
  const Two v{splat(static_cast<float>(value)), F{}};
  switch (type) {
    case Type::f32: return store(static_cast<float*>(data) + i, v, 1);
    case Type::f16: return store(static_cast<Half*>(data) + i, v, 1);
    default: return store(static_cast<BFloat16*>(data) + i, v, 1);
  }
}

double slope(Activation activation, double v) {
  if (activation == Activation::none) return 1;
  if (activation == Activation::relu) return v > 0 ? 1 : 0;
  const double s = 1 / (1 + std::exp(-v));
  return s * (1 + v * (1 - s));
}

void backward(const Backward& call) {
  const Problem& p = call.problem;
  const int64_t D = p.channels();
  Room<double> dweight(p.C), dbias(p.C);
  for (int64_t c = 0; c < p.C; ++c) dweight[c] = dbias[c] = 0;
  const auto place = [&](int64_t n, int64_t c, int64_t i) {
    return p.channels_last ? (n * p.P + i) * p.C + c : (n * p.C + c) * p.P + i;
  };
  for (int64_t n = 0; n < p.N; ++n) {
    for (int64_t g = 0; g < p.G; ++g) {
      const float* s = call.statistics + 3 * (n * p.G + g);
      const double rstd = s[2], count = static_cast<double>(D * p.P);
      const auto each = [&](auto&& use) {
        for (int64_t c = g * D; c < (g + 1) * D; ++c) {
          const double w = call.weight.data ? value_at(call.weight.data, call.weight.type, c) : 1;
          const double b = call.bias.data ? value_at(call.bias.data, call.bias.type, c) : 0;
          for (int64_t i = 0; i < p.P; ++i) {
            const int64_t at = place(n, c, i);
            const double normal = (value_at(call.x, p.type, at) - s[0] - s[1]) * rstd;
            use(c, at, normal, w, value_at(call.dy, p.type, at) * slope(p.activation, normal * w + b));
          }
        }
      };
      double first = 0, second = 0;
      each([&](int64_t c, int64_t, double normal, double w, double dy) {
        first += dy * w, second += dy * w * normal;
        dweight[c] += dy * normal, dbias[c] += dy;
      });
      if (!call.dx) continue;
      each([&](int64_t, int64_t at, double normal, double w, double dy) {
        put(call.dx, p.type, at, rstd * (dy * w - (first + normal * second) / count));
      });
    }
  }
  for (int64_t c = 0; c < p.C; ++c) {
    if (call.dweight) put(call.dweight, call.dweight_type, c, dweight[c]);
    if (call.dbias) put(call.dbias, call.dbias_type, c, dbias[c]);
  }
}

}  // namespace groupnorm::LEVEL
