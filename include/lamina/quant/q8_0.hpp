// Q8_0: blocks of 32 weights, w = d * q with q in -127 .. 127 and a binary16 scale d. 8.5 bits a weight.
//
// Stored as in ggml (ggml-common.h, block_q8_0): the scale, then the 32 weights in order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "lamina/core/numeric.hpp"
#include "lamina/quant/format.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1::quant {

struct Q8_0 : KeepAs<Format::kQ8_0, 32> {
  static constexpr Format kFormat = Format::kQ8_0;
  static constexpr std::string_view kName = "Q8_0";
  static constexpr std::size_t kBlock = 32;
  static constexpr bool kQuantized = true;
  static constexpr std::size_t kGroup = kBlock;

  struct Block {
    Half d;
    std::int8_t q[kBlock];
  };
  /// One 64-byte register holds 4 consecutive columns of every row.
  struct PanelBlock {
    Half d[kPanelRows];
    std::int8_t q[kBlock / 4][kPanelRows][4];
  };

  static void levels(Block const& block, std::int16_t* out) noexcept { std::copy(block.q, block.q + kBlock, out); }
  static float scale(Block const& block, std::size_t /*group*/) noexcept { return to_float(block.d); }

  static void dequantize(Block const& block, float* out) noexcept {
    float const d = to_float(block.d);
    for (std::size_t i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(block.q[i]);
  }

  /// d = max|x| / 127, q = round(x / d), halves away from zero; d is rounded to binary16 after it was used.
  static void quantize(float const* in, Block& block) noexcept {
    float max = 0.0F;
    for (std::size_t i = 0; i < kBlock; ++i) max = std::abs(in[i]) > max ? std::abs(in[i]) : max;
    float const d = max / 127.0F;
    float const inverse = d != 0.0F ? 1.0F / d : 0.0F;
    block.d = to_half(d);
    for (std::size_t i = 0; i < kBlock; ++i) {
      float const q = std::round(in[i] * inverse);
      // |q| <= 127 but for infinities and NaN, which pack_matrix refuses: any value will do, but a defined one.
      block.q[i] = std::abs(q) <= 127.0F ? static_cast<std::int8_t>(q) : std::int8_t{0};
    }
  }

  static void pack(Block const& block, std::size_t row, PanelBlock& panel) noexcept {
    panel.d[row] = block.d;
    for (std::size_t g = 0; g < kBlock / 4; ++g) std::memcpy(panel.q[g][row], block.q + 4 * g, 4);
  }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept {
    block.d = panel.d[row];
    for (std::size_t g = 0; g < kBlock / 4; ++g) std::memcpy(block.q + 4 * g, panel.q[g][row], 4);
  }
};
static_assert(QuantizedFormat<Q8_0> && sizeof(Q8_0::Block) == 34 && sizeof(Q8_0::PanelBlock) == 544);

}  // namespace lamina::inline v0_1::quant
