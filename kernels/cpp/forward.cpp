// GroupNorm forward, one call fused with its activation, float32 arithmetic whatever the type of x.
//
// Bytes: x once from memory where a group (or a sample, channels_last) fits a cache, else twice; y once.

#include "channels_last.h"
#include "contiguous.h"

namespace groupnorm::LEVEL {

template <typename T, Activation A>
void in_layout(const Forward& call) {
  if (call.problem.channels_last) ChannelsLast<T, A>(call).run();
  else Contiguous<T, A>(call).run();
}

template <typename T>
void with_activation(const Forward& call) {
  switch (call.problem.activation) {
    case Activation::none: return in_layout<T, Activation::none>(call);
    case Activation::silu: return in_layout<T, Activation::silu>(call);
    case Activation::relu: return in_layout<T, Activation::relu>(call);
  }
}

void forward(const Forward& call) {
  switch (call.problem.type) {
    case Type::f32: return with_activation<float>(call);
    case Type::f16: return with_activation<Half>(call);
    case Type::bf16: return with_activation<BFloat16>(call);
  }
}

}  // namespace groupnorm::LEVEL
