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
  struct PanelGroup {
    std::uint8_t low[kGroup / 8][kPanelRows][4];
    std::uint8_t high[kPanelRows][4];
  };
  struct PanelBlock {
    Half d[kPanelRows];
    std::int8_t scale[kGroups][kPanelRows];
    PanelGroup group[kGroups];
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
    if (std::abs(largest) < kSmallestMagnitude) return;
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
      Place const at(g);
      std::uint64_t low = 0, high = 0;  // of columns 0 .. 7, and of 8 .. 15 four bits higher
      for (std::size_t half = 0; half < 2; ++half) {
        low |= (detail::load8(block.low + at.low + 8 * half) >> at.low_shift & kLowHalves) << 4 * half;
        high |= (detail::load8(block.high + at.high + 8 * half) >> at.high_shift & kLowPairs) << 4 * half;
      }
      detail::store4(panel.group[g].low[0][row], static_cast<std::uint32_t>(low));
      detail::store4(panel.group[g].low[1][row], static_cast<std::uint32_t>(low >> 32));
      detail::store4(panel.group[g].high[row], static_cast<std::uint32_t>(high | high >> 32 << 2));
    }
  }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept {
    block = {};
    block.d = panel.d[row];
    auto const put = [](std::uint8_t* p, std::uint32_t bits) { detail::store4(p, detail::load4(p) | bits); };
    for (std::size_t g = 0; g < kGroups; ++g) {
      block.scale[g] = panel.scale[g][row];
      Place const at(g);
      std::uint32_t const high = detail::load4(panel.group[g].high[row]);
      for (std::size_t k = 0; k < 4; ++k) {
        std::uint32_t const both = detail::load4(panel.group[g].low[k % 2][row]);
        put(block.low + at.low + 4 * k, (k < 2 ? both & detail::kLowHalves : both >> 4 & detail::kLowHalves)
                                            << at.low_shift);
        put(block.high + at.high + 4 * k, (high >> 2 * k & detail::kLowPairs) << at.high_shift);
      }
    }
  }

 private:
  static constexpr float kMax = 32.0F;
  static constexpr std::uint64_t kLowHalves = 0x0f0f0f0f0f0f0f0fu;
  static constexpr std::uint64_t kLowPairs = 0x0303030303030303u;

  /// Where the 16 weights of a group lie in a block: their first bytes, and how far up in each byte.
  struct Place {
    std::size_t low, high;
    unsigned low_shift, high_shift;

    constexpr explicit Place(std::size_t group) noexcept
        : low(group / 8 * 64 + group % 4 * 16),
          high(group / 8 * 32 + group % 2 * 16),
          low_shift(group % 8 < 4 ? 0 : 4),
          high_shift(static_cast<unsigned>(group % 8 / 2 * 2)) {}
  };

  /// q of weight i.
  static unsigned quant(Block const& block, std::size_t i) noexcept {
    Place const at(i / kGroup);
    unsigned const low = static_cast<unsigned>(block.low[at.low + i % kGroup]) >> at.low_shift & 15u;
    unsigned const high = static_cast<unsigned>(block.high[at.high + i % kGroup]) >> at.high_shift & 3u;
    return low | high << 4u;
  }
  /// Precondition: q of weight i is 0.
  static void set_quant(Block& block, std::size_t i, unsigned q) noexcept {
    Place const at(i / kGroup);
    auto const put = [](std::uint8_t& byte, unsigned bits) { byte = static_cast<std::uint8_t>(byte | bits); };
    put(block.low[at.low + i % kGroup], (q & 15u) << at.low_shift);
    put(block.high[at.high + i % kGroup], q >> 4u << at.high_shift);
  }
};
static_assert(QuantizedFormat<Q6_K> && sizeof(Q6_K::Block) == 210 && sizeof(Q6_K::PanelBlock) == 3360);

}  // namespace lamina::inline v0_1::quant
