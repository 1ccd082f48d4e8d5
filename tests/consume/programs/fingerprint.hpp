// What every consumer computes: the bits of a model's logits, as one number.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <lamina/lamina.hpp>
#include <vector>

namespace consumer {

/// A hash of the logits after 40 tokens: of the model as stored, and converted to Q8_0.
inline std::uint64_t fingerprint(std::filesystem::path const& path) {
  auto const checkpoint = lamina::Checkpoint::open(path);
  std::vector<lamina::Token> tokens;
  for (lamina::Token t = 0; t < 40; ++t) tokens.push_back(t * 7 % 64);

  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a, a word at a time
  for (bool const quantized : {false, true}) {
    lamina::LoadOptions options;
    options.threads = 2;
    if (quantized) options.convert = lamina::Format::kQ8_0;
    auto const any = lamina::AnyModel::load(checkpoint, options);
    any.visit([&](auto const& model) {
      lamina::Session session(model);
      for (float const logit : session.prefill(tokens)) {
        hash = (hash ^ std::bit_cast<std::uint32_t>(logit)) * 0x100000001b3U;
      }
    });
  }
  return hash;
}

}  // namespace consumer
