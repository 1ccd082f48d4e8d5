// BF16: the upper half of binary32, widened by a shift in registers.
#pragma once

#include <cstddef>
#include <string_view>

#include "lamina/core/numeric.hpp"
#include "lamina/quant/format.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1::quant {

struct BF16 : KeepAs<Format::kBF16, 1> {
  static constexpr Format kFormat = Format::kBF16;
  static constexpr std::string_view kName = "BF16";
  static constexpr std::size_t kBlock = 1;
  static constexpr bool kQuantized = false;

  using Block = Bfloat16;
  /// One column of 16 rows.
  struct PanelBlock {
    Bfloat16 w[kPanelRows];
  };

  static void dequantize(Block const& block, float* out) noexcept { *out = to_float(block); }
  static void quantize(float const* in, Block& block) noexcept { block = to_bfloat16(*in); }
  static void pack(Block const& block, std::size_t row, PanelBlock& panel) noexcept { panel.w[row] = block; }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept { block = panel.w[row]; }
};
static_assert(WeightFormat<BF16> && sizeof(BF16::Block) == 2 && sizeof(BF16::PanelBlock) == 32);

}  // namespace lamina::inline v0_1::quant
