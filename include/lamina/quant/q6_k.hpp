// Q6_K: superblocks of 256 weights in 16 groups of 16, w = d * scale * (q - 32) with q in 0 .. 63, an int8 scale per
// group and a binary16 factor. 6.5625 bits a weight.
//
// Stored as in ggml (ggml-common.h, block_q6_K): 128 bytes of low halves, 64 bytes of high pairs of bits, the scales,
// d. Of each 128 weights, weight 32 h + i (h = 0 .. 3) has its low four bits in byte i + 32 (h % 2), in its low half
// for h < 2, and its high two in byte i, from bit 2 h on.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lamina/core/numeric.hpp"
#include "lamina/quant/format.hpp"
#include "lamina/quant/k_quants.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1::quant {

struct Q6_K : KeepAs<Format::kQ6_K, 256> {
  static constexpr Format kFormat = Format::kQ6_K;
  static constexpr std::string_view kName = "Q6_K";
  static constexpr std::size_t kBlock = 256;
  static constexpr bool kQuantized = true;
  static constexpr std::size_t kGroup = 16;
  static constexpr std::size_t kGroups = kBlock / kGroup;
  static constexpr int kZero = 32;  // the value of q that stands for a zero weight

  struct Block {
    std::uint8_t low[kBlock / 2];
    std::uint8_t high[kBlock / 4];
    std::int8_t scale[kGroups];
    Half d;
  };
  /// Of each group, two registers of low halves: columns 4s .. 4s + 3 in the low and 8 + 4s .. 8 + 4s + 3 in the high
  /// halves of register s; and one of high bits: those of columns 4k .. 4k + 3 from bit 2k on.
  struct PanelBlock {
    Half d[kPanelRows];
    std::int8_t scale[kGroups][kPanelRows];
    std::uint8_t low[kGroups][kGroup / 8][kPanelRows][4];
    std::uint8_t high[kGroups][kPanelRows][4];
  };

  static void levels(Block const& block, std::int16_t* out) noexcept {
    for (std::size_t i = 0; i < kBlock; ++i)
      out[i] = static_cast<std::int16_t>(static_cast<int>(quant(block, i)) - kZero);
  }
  static float scale(Block const& block, std::size_t group) noexcept {
    return to_float(block.d) * static_cast<float>(block.scale[group]);
  }

  /// Exact: d * scale * level has 23 bits.
  static void dequantize(Block const& block, float* out) noexcept {
    std::int16_t level[kBlock];
    levels(block, level);
    for (std::size_t i = 0; i < kBlock; ++i) out[i] = scale(block, i / kGroup) * static_cast<float>(level[i]);
  }

  /// Each group is fitted alone; the scale of largest magnitude becomes -128; and with the scales as they are then,
  /// every weight takes the nearest level. Groups whose scale became 0 keep the levels of their fit.
  static void quantize(float const* in, Block& block) noexcept {
    block = {};
    std::array<KFit<kGroup>, kGroups> fits;
    for (std::size_t g = 0; g < kGroups; ++g) fits[g] = fit_symmetric<kGroup>(in + g * kGroup, kMax);
    float const largest = detail::largest_of<kGroups>([&](std::size_t g) { return fits[g].scale; });
    if (std::abs(largest) < kSmallestWeight) return;
    float const inverse = -128.0F / largest;
    block.d = to_half(1.0F / inverse);
    detail::Products<kGroups> const ratios([&](std::size_t g) { return inverse * fits[g].scale; });
    for (std::size_t g = 0; g < kGroups; ++g) {
      block.scale[g] = static_cast<std::int8_t>(detail::nearest_level(ratios[g], -128.0F, 127.0F));
      float const d = scale(block, g);
      for (std::size_t i = 0; i < kGroup; ++i) {
        float& level = fits[g].level[i];
        if (d != 0.0F) level = detail::nearest_level(in[g * kGroup + i] / d, -kMax, kMax - 1.0F);
        set_quant(block, g * kGroup + i, static_cast<unsigned>(static_cast<int>(level) + kZero));
      }
    }
  }

  static void pack(Block const& block, std::size_t row, PanelBlock& panel) noexcept {
    panel.d[row] = block.d;
    for (std::size_t g = 0; g < kGroups; ++g) {
      panel.scale[g][row] = block.scale[g];
      auto const q = [&](std::size_t column) { return quant(block, g * kGroup + column); };
      for (std::size_t i = 0; i < kGroup / 2; ++i) {
        panel.low[g][i / 4][row][i % 4] = static_cast<std::uint8_t>((q(i) & 15u) | (q(i + 8) & 15u) << 4u);
      }
      for (std::size_t i = 0; i < 4; ++i) {
        panel.high[g][row][i] =
            static_cast<std::uint8_t>(q(i) >> 4u | q(i + 4) >> 4u << 2u | q(i + 8) >> 4u << 4u | q(i + 12) >> 4u << 6u);
      }
    }
  }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept {
    block = {};
    block.d = panel.d[row];
    for (std::size_t g = 0; g < kGroups; ++g) {
      block.scale[g] = panel.scale[g][row];
      for (std::size_t i = 0; i < kGroup; ++i) {
        unsigned const both = panel.low[g][i % 8 / 4][row][i % 4];
        unsigned const high = panel.high[g][row][i % 4] >> (i / 4 * 2);
        set_quant(block, g * kGroup + i, (i < 8 ? both & 15u : both >> 4u) | (high & 3u) << 4u);
      }
    }
  }

 private:
  static constexpr float kMax = 32.0F;

  /// q of weight i.
  static unsigned quant(Block const& block, std::size_t i) noexcept {
    std::size_t const part = i / 128, h = i % 128 / 32, at = i % 32;
    unsigned const both = block.low[part * 64 + h % 2 * 32 + at];
    unsigned const high = static_cast<unsigned>(block.high[part * 32 + at]) >> (2 * h);
    return (h < 2 ? both & 15u : both >> 4u) | (high & 3u) << 4u;
  }
  /// Precondition: q of weight i is 0.
  static void set_quant(Block& block, std::size_t i, unsigned q) noexcept {
    std::size_t const part = i / 128, h = i % 128 / 32, at = i % 32;
    auto const put = [](std::uint8_t& byte, unsigned bits) { byte = static_cast<std::uint8_t>(byte | bits); };
    put(block.low[part * 64 + h % 2 * 32 + at], (q & 15u) << (h < 2 ? 0u : 4u));
    put(block.high[part * 32 + at], q >> 4u << (2 * h));
  }
};
static_assert(QuantizedFormat<Q6_K> && sizeof(Q6_K::Block) == 210 && sizeof(Q6_K::PanelBlock) == 3360);

}  // namespace lamina::inline v0_1::quant
