// Q4_0: blocks of 32 weights, w = d * (q - 8) with q in 0 .. 15 and a binary16 scale d. 4.5 bits a weight.
//
// Stored as in ggml (ggml-common.h, block_q4_0): the scale, then 16 bytes; the low half of byte i is weight i, the high
// half is weight i + 16.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "lamina/core/numeric.hpp"
#include "lamina/quant/format.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1::quant {

struct Q4_0 : KeepAs<Format::kQ4_0, 32> {
  static constexpr Format kFormat = Format::kQ4_0;
  static constexpr std::string_view kName = "Q4_0";
  static constexpr std::size_t kBlock = 32;
  static constexpr bool kQuantized = true;
  static constexpr std::size_t kGroup = kBlock;
  static constexpr int kZero = 8;  // the value of q that stands for a zero weight

  struct Block {
    Half d;
    std::uint8_t q[kBlock / 2];
  };
  /// One 64-byte register holds, of every row, columns 4g .. 4g + 3 in the low and 16 + 4g .. 16 + 4g + 3 in the high
  /// halves of its bytes: one mask and one shift unpack it.
  struct PanelBlock {
    Half d[kPanelRows];
    std::uint8_t q[kBlock / 8][kPanelRows][4];
  };

  static void levels(Block const& block, std::int16_t* out) noexcept {
    for (std::size_t i = 0; i < kBlock / 2; ++i) {
      out[i] = static_cast<std::int16_t>((block.q[i] & 15) - kZero);
      out[i + kBlock / 2] = static_cast<std::int16_t>((block.q[i] >> 4) - kZero);
    }
  }
  static float scale(Block const& block, std::size_t /*group*/) noexcept { return to_float(block.d); }

  static void dequantize(Block const& block, float* out) noexcept {
    float const d = to_float(block.d);
    std::int16_t level[kBlock];
    levels(block, level);
    for (std::size_t i = 0; i < kBlock; ++i) out[i] = d * static_cast<float>(level[i]);
  }

  /// d = m / -8 for the weight m of largest magnitude (the first of equals), q = min(15, trunc(x / d + 8.5)); d is
  /// rounded to binary16 after it was used.
  static void quantize(float const* in, Block& block) noexcept {
    float max = 0.0F;
    float magnitude = 0.0F;
    for (std::size_t i = 0; i < kBlock; ++i) {
      if (std::abs(in[i]) > magnitude) {
        magnitude = std::abs(in[i]);
        max = in[i];
      }
    }
    float const d = max / -8.0F;
    float const inverse = d != 0.0F ? 1.0F / d : 0.0F;
    block.d = to_half(d);
    for (std::size_t i = 0; i < kBlock / 2; ++i) {
      block.q[i] =
          static_cast<std::uint8_t>(nearest(in[i], inverse) | static_cast<unsigned>(nearest(in[i + 16], inverse)) << 4);
    }
  }

  static void pack(Block const& block, std::size_t row, PanelBlock& panel) noexcept {
    panel.d[row] = block.d;
    for (std::size_t g = 0; g < kBlock / 8; ++g) std::memcpy(panel.q[g][row], block.q + 4 * g, 4);
  }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept {
    block.d = panel.d[row];
    for (std::size_t g = 0; g < kBlock / 8; ++g) std::memcpy(block.q + 4 * g, panel.q[g][row], 4);
  }

 private:
  static std::uint8_t nearest(float x, float inverse) noexcept {
    // The product is rounded on its own: a compiler that contracts a * b + c would change some levels, and ggml's
    // quantizer is built for a baseline without FMA. An fma with zero says so; by way of double it did not hold, as
    // GCC narrows that product to float again and contracts it on Arm.
    float const scaled = std::fma(x, inverse, 0.0F);
    float const shifted = scaled + 8.5F;
    if (!(shifted > 0.0F)) return 0;  // NaN; finite weights give 0.5 and more
    return shifted < 15.0F ? static_cast<std::uint8_t>(shifted) : std::uint8_t{15};
  }
};
static_assert(QuantizedFormat<Q4_0> && sizeof(Q4_0::Block) == 18 && sizeof(Q4_0::PanelBlock) == 288);

}  // namespace lamina::inline v0_1::quant
