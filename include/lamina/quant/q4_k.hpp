// Q4_K: superblocks of 256 weights in 8 groups of 32, w = d * scale * q - dmin * min with q in 0 .. 15, a 6-bit scale
// and min per group, and two binary16 factors. 4.5 bits a weight.
//
// Stored as in ggml (ggml-common.h, block_q4_K): d, dmin, 12 bytes of scales and mins (k_quants.hpp), 128 bytes of
// quants: of each 32 bytes the low halves are one group, the high halves the next.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lamina/core/numeric.hpp"
#include "lamina/quant/format.hpp"
#include "lamina/quant/k_quants.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1::quant {

struct Q4_K : KeepAs<Format::kQ4_K, 256> {
  static constexpr Format kFormat = Format::kQ4_K;
  static constexpr std::string_view kName = "Q4_K";
  static constexpr std::size_t kBlock = 256;
  static constexpr bool kQuantized = true;
  static constexpr std::size_t kGroup = 32;
  static constexpr std::size_t kGroups = kBlock / kGroup;

  struct Block {
    Half d, dmin;
    std::uint8_t scales[12];
    std::uint8_t q[kBlock / 2];
  };
  /// Quants as in Q4_0's panel, one group after the other. Scales and mins take a byte each, 2.8 % more bytes than
  /// stored, so that no tile has to take six bits apart (a choice, not measured).
  struct PanelBlock {
    Half d[kPanelRows];
    Half dmin[kPanelRows];
    std::uint8_t scale[kGroups][kPanelRows];
    std::uint8_t min[kGroups][kPanelRows];
    std::uint8_t q[kGroups][kGroup / 8][kPanelRows][4];
  };

  static void levels(Block const& block, std::int16_t* out) noexcept {
    for (std::size_t i = 0; i < kBlock; ++i) {
      unsigned const both = block.q[i / 64 * 32 + i % 32];
      out[i] = static_cast<std::int16_t>(i % 64 < 32 ? both & 15u : both >> 4u);
    }
  }
  static float scale(Block const& block, std::size_t group) noexcept {
    return to_float(block.d) * static_cast<float>(k_scale(block.scales, group).scale);
  }
  static float min(Block const& block, std::size_t group) noexcept {
    return to_float(block.dmin) * static_cast<float>(k_scale(block.scales, group).min);
  }

  /// One rounding, that of the subtraction: d * scale * q has 21 bits.
  static void dequantize(Block const& block, float* out) noexcept {
    std::int16_t level[kBlock];
    levels(block, level);
    for (std::size_t g = 0; g < kGroups; ++g) {
      float const d = scale(block, g);
      float const m = min(block, g);
      for (std::size_t i = g * kGroup; i < (g + 1) * kGroup; ++i) out[i] = d * static_cast<float>(level[i]) - m;
    }
  }

  /// Each group is fitted alone; the largest scale and the largest min become 63; and with the scales and mins as they
  /// are then, every weight takes the nearest level. Groups whose scale became 0 keep the levels of their fit.
  static void quantize(float const* in, Block& block) noexcept {
    std::array<KFit<kGroup>, kGroups> fits;
    float max_scale = 0.0F, max_min = 0.0F;
    for (std::size_t g = 0; g < kGroups; ++g) {
      fits[g] = fit_with_min<kGroup>(in + g * kGroup, kMax);
      max_scale = std::max(max_scale, fits[g].scale);
      max_min = std::max(max_min, fits[g].min);
    }
    float const inverse_scale = max_scale > 0.0F ? 63.0F / max_scale : 0.0F;
    float const inverse_min = max_min > 0.0F ? 63.0F / max_min : 0.0F;
    std::array<KScale, kGroups> scales;
    for (std::size_t g = 0; g < kGroups; ++g) {
      detail::Products<2> const ratios(
          [&](std::size_t i) { return i == 0 ? inverse_scale * fits[g].scale : inverse_min * fits[g].min; });
      scales[g] = {static_cast<std::uint8_t>(detail::nearest_level(ratios[0], 0.0F, 63.0F)),
                   static_cast<std::uint8_t>(detail::nearest_level(ratios[1], 0.0F, 63.0F))};
    }
    set_k_scales(scales, block.scales);
    block.d = to_half(max_scale / 63.0F);
    block.dmin = to_half(max_min / 63.0F);
    for (std::size_t g = 0; g < kGroups; ++g) {
      float const d = scale(block, g);
      float const m = min(block, g);
      for (std::size_t i = 0; i < kGroup && d != 0.0F; ++i) {
        fits[g].level[i] = detail::nearest_level((in[g * kGroup + i] + m) / d, 0.0F, kMax);
      }
    }
    for (std::size_t i = 0; i < kBlock / 2; ++i) {
      auto const level = [&](std::size_t half) { return static_cast<unsigned>(fits[i / 32 * 2 + half].level[i % 32]); };
      block.q[i] = static_cast<std::uint8_t>(level(0) | level(1) << 4u);
    }
  }

  static void pack(Block const& block, std::size_t row, PanelBlock& panel) noexcept {
    panel.d[row] = block.d;
    panel.dmin[row] = block.dmin;
    for (std::size_t g = 0; g < kGroups; ++g) {
      KScale const s = k_scale(block.scales, g);
      panel.scale[g][row] = s.scale;
      panel.min[g][row] = s.min;
    }
    for (std::size_t g = 0; g < kGroups; g += 2) {  // two groups share 32 bytes
      for (std::size_t i = 0; i < 4; ++i) {
        std::uint32_t const a = detail::load4(block.q + 16 * g + 4 * i);
        std::uint32_t const b = detail::load4(block.q + 16 * g + 4 * i + 16);
        detail::store4(panel.q[g][i][row], (a & kMask) | (b & kMask) << 4);
        detail::store4(panel.q[g + 1][i][row], (a >> 4 & kMask) | (b & ~kMask));
      }
    }
  }
  static void unpack(PanelBlock const& panel, std::size_t row, Block& block) noexcept {
    block.d = panel.d[row];
    block.dmin = panel.dmin[row];
    std::array<KScale, kGroups> scales;
    for (std::size_t g = 0; g < kGroups; ++g) scales[g] = {panel.scale[g][row], panel.min[g][row]};
    set_k_scales(scales, block.scales);
    for (std::size_t g = 0; g < kGroups; g += 2) {
      for (std::size_t i = 0; i < 4; ++i) {
        std::uint32_t const even = detail::load4(panel.q[g][i][row]);
        std::uint32_t const odd = detail::load4(panel.q[g + 1][i][row]);
        detail::store4(block.q + 16 * g + 4 * i, (even & kMask) | (odd & kMask) << 4);
        detail::store4(block.q + 16 * g + 4 * i + 16, (even >> 4 & kMask) | (odd & ~kMask));
      }
    }
  }

 private:
  static constexpr float kMax = 15.0F;
  static constexpr std::uint32_t kMask = detail::kLowHalves;
};
static_assert(QuantizedFormat<Q4_K> && sizeof(Q4_K::Block) == 144 && sizeof(Q4_K::PanelBlock) == 2368);

}  // namespace lamina::inline v0_1::quant
