// fails with: Architecture.*A::rope
#include "lamina/model/model.hpp"

struct MyFamily {
  static constexpr std::string_view name = "mine";
  static constexpr auto norm = lamina::Norm::Rms;
#ifndef BAD
  static constexpr auto rope = lamina::Rope::Halves;
#endif
  static constexpr auto ffn = lamina::Ffn::SwiGlu;
  static constexpr bool qkv_bias = false;
  static constexpr lamina::TensorNames tensors{};
};

using MyModel = lamina::Model<MyFamily>;
