// GroupNorm backward, one call: dx, dweight and dbias, whichever are wanted, through the activation too.
//
// Bytes: x and dy once from memory where a group (channels_last: a sample) fits a cache, else twice; dx once. What the
// activation needs is recomputed from x, so nothing but x and three numbers a group is kept from the forward.

#include "backward_groups.h"
#include "backward_samples.h"
#include "backward_vectors.h"

namespace groupnorm::LEVEL {
namespace gradient {

template <typename T, Activation A>
void in_layout(const Gradients& p) {
  if (p.P == 1) backward_of_vectors<T, A>(p);
  else if (p.is_channels_last) backward_of_samples<T, A>(p);
  else backward_of_groups<T, A>(p);
}

template <typename T>
void with_activation(const Gradients& p, Activation activation) {
  switch (activation) {
    case Activation::none: return in_layout<T, Activation::none>(p);
    case Activation::silu: return in_layout<T, Activation::silu>(p);
    case Activation::relu: return in_layout<T, Activation::relu>(p);
  }
}

template <typename T>
void write(const double* from, void* to, int64_t C) {
  for (int64_t c = 0; c < C; c += kBlock) {
    float values[kBlock] = {};
    const int64_t count = least(kBlock, C - c);
    for (int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(from[c + i]);
    store(static_cast<T*>(to) + c, load(values), count);
  }
}

void write(const double* from, void* to, Type type, int64_t C) {
  if (!to) return;
  switch (type) {
    case Type::f32: return write<float>(from, to, C);
    case Type::f16: return write<Half>(from, to, C);
    case Type::bf16: return write<BFloat16>(from, to, C);
  }
}

}  // namespace gradient

// Bytes of dx from which it is written past the caches. On two cores, float32: 10 MB 423 us -> 253, 103 MB 5993 -> 4288;
// and with x + dx behind it, 602 -> 506 and 10254 -> 8466. A line need not be read before it is written. Of 5 MB with
// x and dy beside it in 32 MB of cache: 190 us -> 203.
constexpr int64_t kStreamed = 6 << 20;

void backward(const Backward& call) {
  const Problem& p = call.problem;
  const int64_t bytes = p.N * p.C * p.P * (p.type == Type::f32 ? 4 : 2);
  const bool is_summed = call.dweight || call.dbias;
  Room<float> room(2 * p.C);
  Room<double> sums(is_summed ? 2 * p.C : 0);
  const gradient::Gradients gradients{
      p.N, p.C, p.P, p.G, p.channels_last, p.pool, call.dy, call.x, call.dx, call.statistics,
      floats_of(call.weight, p.C, 1.0f, &room[0]), floats_of(call.bias, p.C, 0.0f, &room[p.C]),
      is_summed ? &sums[p.C] : nullptr, is_summed ? &sums[0] : nullptr, bytes >= kStreamed};
  switch (p.type) {
    case Type::f32: gradient::with_activation<float>(gradients, p.activation); break;
    case Type::f16: gradient::with_activation<Half>(gradients, p.activation); break;
    case Type::bf16: gradient::with_activation<BFloat16>(gradients, p.activation); break;
  }
  gradient::write(gradients.dweight, call.dweight, call.dweight_type, p.C);
  gradient::write(gradients.dbias, call.dbias, call.dbias_type, p.C);
}

}  // namespace groupnorm::LEVEL
