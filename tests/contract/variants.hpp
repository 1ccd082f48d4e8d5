// What the tests of the numeric contract share: a random model in each format.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "model/random_model.hpp"
#include "model/run_in_chunks.hpp"

namespace lamina::test {

inline constexpr std::size_t kTokens = 75;  // three blocks of the cache, the last one not full

using Cache = ContiguousCache<KvElement::kF16>;

inline Model<Llama> load(Checkpoint const& checkpoint, LoadOptions options = {}) {
  return Model<Llama>::load(checkpoint, std::move(options));
}

struct Variant {
  Format format;
  bool tied;
  std::uint64_t fingerprint;  // of the logits, on every machine, compiler and build
};

inline constexpr std::array kVariants{
    Variant{Format::kF32, true, 0x3cee695497161568},  Variant{Format::kF16, false, 0x49c5141b9266b613},
    Variant{Format::kBF16, true, 0x917129913873d9dc}, Variant{Format::kQ8_0, false, 0xdc875f15a8c9d42a},
    Variant{Format::kQ4_0, true, 0x8e85621de4896ec6}, Variant{Format::kQ6_K, false, 0xed749b45e172045b},
    Variant{Format::kQ4_K, true, 0x4078922c0273c8a8},
};

inline RandomModel model_of(Variant const& v) { return wide_enough({.format = v.format, .tied = v.tied}, v.format); }

template <class F>
void for_each_variant(F const& f) {
  for (Variant const& v : kVariants) {
    CAPTURE(traits(v.format).name);
    f(v, random_checkpoint(model_of(v)), random_tokens(kTokens, RandomModel{}.n_vocab));
  }
}

}  // namespace lamina::test
