// F16: IEEE binary16 weights, widened to binary32 in registers.
#pragma once

#include <cstddef>
#include <string_view>

#include "lamina/core/numeric.hpp"
#include "lamina/quant/format.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1::quant {

struct F16 : KeepAs<Format::kF16, 1> {
  static constexpr Format kFormat = Format::kF16;
  static constexpr std::string_view kName = "F16";
  static constexpr std::size_t kBlock = 1;
  static constexpr bool kQuantized = false;

  using Block = Half;
  /// One column of 16 rows.
  struct PanelBlock {
    Half w[kPanelRows];
  };

  static void dequantize(Block const& block, float* out) noexcept { *out = to_float(block); }
  static void quantize(float const* in, Block& block) noexcept { block = to_half(*in); }
  static void pack(Block const& block, std::size_t row, PanelBlock& panel) noexcept { panel.w[row] = block; }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept { block = panel.w[row]; }
};
static_assert(WeightFormat<F16> && sizeof(F16::Block) == 2 && sizeof(F16::PanelBlock) == 32);

}  // namespace lamina::inline v0_1::quant
