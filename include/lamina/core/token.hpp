// Token ids, the currency between tokenizer, model, sampler and decoding loop.
#pragma once

#include <cstdint>

namespace lamina::inline v0_1 {

/// Index into the vocabulary, 0 .. n_vocab - 1. Signed, as every checkpoint format stores it.
using Token = std::int32_t;

/// "No such token": a vocabulary without a BOS, an option that is not set.
inline constexpr Token kNoToken = -1;

}  // namespace lamina::inline v0_1
