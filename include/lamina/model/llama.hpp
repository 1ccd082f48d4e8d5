// Llama 1 to 3 and what shares their shape (Mistral, TinyLlama, llama2.c's models). Touvron et al., 2023.
#pragma once

#include <string_view>

#include "lamina/model/architecture.hpp"

namespace lamina::inline v0_1 {

struct Llama {
  static constexpr std::string_view name = "llama";
  static constexpr auto norm = Norm::Rms;
  static constexpr auto rope = Rope::Interleaved;
  static constexpr auto ffn = Ffn::SwiGlu;
  static constexpr bool qkv_bias = false;
  static constexpr TensorNames tensors{};
};

static_assert(Architecture<Llama>);

}  // namespace lamina::inline v0_1
