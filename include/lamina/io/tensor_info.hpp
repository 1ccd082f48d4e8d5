// One tensor of a checkpoint, where its bytes lie, and how many they must be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/numeric.hpp"
#include "lamina/io/metadata.hpp"
#include "lamina/quant/formats.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::inline v0_1 {

/// GGUF's tensors have 1 to 4 dimensions.
inline constexpr std::size_t kMaxDims = 4;

struct TensorInfo {
  std::string name;  // GGUF's: "blk.0.attn_q.weight"
  Format format = Format::kF32;
  std::vector<std::uint64_t> dims;   // GGUF's order: dims[0] = columns, the index that varies fastest; none is 0
  std::span<std::byte const> bytes;  // rows in order, each dims[0] / block blocks; at least 4-byte aligned
  bool packed = false;               // instead, panels of 16 rows (PackedView), 64-byte aligned; 2 dimensions
};

/// What a reader makes of a file: all that a Checkpoint knows but the ownership of the bytes.
struct CheckpointContents {
  Metadata metadata;
  std::vector<TensorInfo> tensors;
};

namespace detail {

/// Bytes of a tensor; nothing where the product overflows, a row is not a whole number of blocks, or what is packed has
/// not two dimensions.
constexpr std::optional<std::uint64_t> tensor_bytes(Format format, std::span<std::uint64_t const> dims,
                                                    bool packed = false) noexcept {
  if (packed) return dims.size() == 2 ? packed_bytes(format, dims[1], dims[0]) : std::nullopt;
  FormatTraits const& facts = traits(format);
  if (dims.empty() || dims[0] % facts.block != 0) return std::nullopt;
  std::optional<std::uint64_t> bytes = checked_mul<std::uint64_t>(dims[0] / facts.block, facts.block_bytes);
  for (std::uint64_t const d : dims.subspan(1)) {
    if (bytes) bytes = checked_mul(*bytes, d);
  }
  return bytes;
}

/// ggml's name of a tensor type (ggml.h, enum ggml_type), for messages about those that lamina lacks.
constexpr std::string_view ggml_type_name(std::uint32_t number) noexcept {
  constexpr std::array<std::string_view, 43> kNames = {
      "F32",        "F16",        "Q4_0",       "Q4_1",  "Q4_2",     "Q4_3",     "Q5_0",     "Q5_1",    "Q8_0",
      "Q8_1",       "Q2_K",       "Q3_K",       "Q4_K",  "Q5_K",     "Q6_K",     "Q8_K",     "IQ2_XXS", "IQ2_XS",
      "IQ3_XXS",    "IQ1_S",      "IQ4_NL",     "IQ3_S", "IQ2_S",    "IQ4_XS",   "I8",       "I16",     "I32",
      "I64",        "F64",        "IQ1_M",      "BF16",  "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",   "TQ2_0",
      "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4", "NVFP4",    "Q1_0",     "Q2_0"};
  return number < kNames.size() ? kNames[number] : "unknown to ggml";
}

/// "[64, 512]", for messages.
inline std::string shape_text(std::span<std::uint64_t const> dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  return text + "]";
}

}  // namespace detail
}  // namespace lamina::inline v0_1
