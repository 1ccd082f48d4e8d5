// The weight formats: their ids in GGUF, block sizes and names; and the packed matrix that kernels read.
//
// One header a format (f32.hpp, q4_0.hpp, ...) defines a struct that models WeightFormat; formats.hpp lists them.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lamina/core/numeric.hpp"

namespace lamina::inline v0_1 {

/// A tensor's element type, with ggml's numbers (ggml.h, enum ggml_type), as GGUF stores them.
enum class Format : std::uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8, kQ4_K = 12, kQ6_K = 14, kBF16 = 30 };

/// Rows of a weight matrix that one panel interleaves. Lanes of a register are rows, never parts of one sum.
inline constexpr std::size_t kPanelRows = 16;

/// Weights along a row that share one activation scale: activations are quantized in blocks of this size.
inline constexpr std::size_t kActivationBlock = 32;

/// Columns whose activations are summed, for weights that have another scale or min every 16.
inline constexpr std::size_t kActivationGroup = 16;

/// A weight matrix as kernels read it: panels of 16 rows, one after the other; a panel is a row of PanelBlocks.
/// The last panel is padded with zero weights where rows is not a multiple of 16.
/// Panels hold what pack() writes. Any other bytes are read safely, but kernels may then differ in what they make of
/// them.
struct PackedView {
  Format format = Format::kF32;
  std::byte const* data = nullptr;  // 64-byte aligned, [panels()][cols / block][panel_block_bytes]
  std::size_t rows = 0;             // output dimension
  std::size_t cols = 0;             // input dimension, a multiple of the format's block
  std::size_t panel_bytes = 0;      // bytes of one panel

  [[nodiscard]] constexpr std::size_t panels() const noexcept { return div_ceil(rows, kPanelRows); }
  [[nodiscard]] constexpr std::size_t bytes() const noexcept { return panels() * panel_bytes; }

  /// Panels [first, last) as a matrix of their own, as aligned as they are. Precondition: first <= last <= panels().
  [[nodiscard]] constexpr PackedView slice(std::size_t first, std::size_t last) const noexcept {
    PackedView part = *this;
    part.data = data + first * panel_bytes;
    part.rows = std::min(rows, last * kPanelRows) - first * kPanelRows;
    return part;
  }
};

/// What a format is. `Block` is one block of a row exactly as GGUF stores it; `PanelBlock` holds one block of each of
/// 16 rows. All functions are exact but quantize, which rounds as ggml's reference quantizer does, to the bit, and
/// dequantize where it subtracts a min, with one rounding.
template <class F>
concept WeightFormat =
    requires(typename F::Block& block, typename F::Block const& const_block, typename F::PanelBlock& panel,
             typename F::PanelBlock const& const_panel, float* out, float const* in, std::size_t row) {
      { F::kFormat } -> std::convertible_to<Format>;
      { F::kName } -> std::convertible_to<std::string_view>;
      { F::kBlock } -> std::convertible_to<std::size_t>;  // weights per block
      { F::kQuantized } -> std::convertible_to<bool>;     // multiplies int8 activations; else float
      { F::dequantize(const_block, out) } noexcept;       // out[kBlock]
      { F::quantize(in, block) } noexcept;                // in[kBlock]
      { F::pack(const_block, row, panel) } noexcept;      // the block becomes row `row` (0..15) of the panel block
      { F::unpack(const_panel, row, block) } noexcept;    // the inverse
    };

/// A format that multiplies int8 activations: w = scale(block, g) * level, less min(block, g) where it has a min, for
/// the weights of group g = i / kGroup. Levels fit int8 or 0 .. 255; scales and mins are exact.
template <class F>
concept QuantizedFormat =
    WeightFormat<F> && F::kQuantized && requires(typename F::Block const& block, std::int16_t* out, std::size_t group) {
      requires F::kGroup == kActivationBlock || F::kGroup == kActivationGroup;
      { F::levels(block, out) } noexcept;  // out[kBlock]
      { F::scale(block, group) } noexcept -> std::same_as<float>;
    };

template <class F>
concept HasMin = QuantizedFormat<F> && requires(typename F::Block const& block, std::size_t group) {
  { F::min(block, group) } noexcept -> std::same_as<float>;
};

}  // namespace lamina::inline v0_1
