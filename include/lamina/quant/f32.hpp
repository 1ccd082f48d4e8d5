// F32: IEEE binary32 weights, stored and multiplied as they are.
#pragma once

#include <cstddef>
#include <string_view>

#include "lamina/quant/format.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1::quant {

struct F32 : KeepAs<Format::kF32, 1> {
  static constexpr Format kFormat = Format::kF32;
  static constexpr std::string_view kName = "F32";
  static constexpr std::size_t kBlock = 1;
  static constexpr bool kQuantized = false;

  using Block = float;
  /// One column of 16 rows.
  struct PanelBlock {
    float w[kPanelRows];
  };

  static void dequantize(Block const& block, float* out) noexcept { *out = block; }
  static void quantize(float const* in, Block& block) noexcept { block = *in; }
  static void pack(Block const& block, std::size_t row, PanelBlock& panel) noexcept { panel.w[row] = block; }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept { block = panel.w[row]; }
};
static_assert(WeightFormat<F32> && sizeof(F32::Block) == 4 && sizeof(F32::PanelBlock) == 64);

}  // namespace lamina::inline v0_1::quant
