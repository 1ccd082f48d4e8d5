// What one forward pass computes: new tokens of one or many sequences, and for which of them logits are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lamina/cache/kv_cache.hpp"
#include "lamina/core/token.hpp"
#include "lamina/core/views.hpp"

namespace lamina::inline v0_1 {

/// The tokens of a batch item whose logits are wanted.
enum class LogitsFor : std::uint8_t { kNone, kLast, kAll };

/// New tokens of one sequence. Their positions follow what the cache holds of it.
struct BatchItem {
  SequenceId sequence{};
  std::span<Token const> tokens;
  LogitsFor logits = LogitsFor::kLast;
};

/// Any mix of sequences and lengths; each sequence at most once.
using Batch = std::span<BatchItem const>;

/// One row of n_vocab logits for each token asked for, in order of the batch. Owned by the workspace, valid until its
/// next use; as_eigen() (core/eigen.hpp) gives the Eigen view.
using Logits = MatrixView<float const>;

}  // namespace lamina::inline v0_1
