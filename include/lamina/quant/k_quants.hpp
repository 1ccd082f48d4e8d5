// What the k-quants share: 6-bit scales and mins of 8 groups in 12 bytes, and the fits of one group of weights.
//
// The fits are those of ggml's reference quantizers (ggml-quants.c), operation by operation: each product is rounded to
// float before it is added, as in a build without FMA, and sums run in index order.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lamina::inline v0_1::quant {

/// Of one group of Q4_K: multiples of the superblock's two factors, 0 .. 63.
struct KScale {
  std::uint8_t scale, min;
};

/// Group `g` (0 .. 7) of the 12 bytes. Of the first four groups the scale is the low six bits of byte g, the min those
/// of byte g + 4. Of the last four the low four bits are the halves of byte g + 4, and the high two stand above the six
/// bits of the first four groups.
constexpr KScale k_scale(std::uint8_t const (&bytes)[12], std::size_t g) noexcept {
  auto const at = [&](std::size_t i) { return static_cast<unsigned>(bytes[i]); };
  auto const byte = [](unsigned x) { return static_cast<std::uint8_t>(x); };
  if (g < 4) return {byte(at(g) & 63u), byte(at(g + 4) & 63u)};
  return {byte((at(g + 4) & 15u) | at(g - 4) >> 6 << 4), byte(at(g + 4) >> 4 | at(g) >> 6 << 4)};
}

/// The inverse of k_scale for all 8 groups.
constexpr void set_k_scales(std::array<KScale, 8> const& scales, std::uint8_t (&bytes)[12]) noexcept {
  auto const join = [](unsigned low, unsigned high, unsigned shift) {
    return static_cast<std::uint8_t>(low | high << shift);
  };
  for (std::size_t g = 0; g < 4; ++g) {
    KScale const first = scales[g];
    KScale const last = scales[g + 4];
    bytes[g] = join(first.scale, last.scale / 16u, 6);
    bytes[g + 4] = join(first.min, last.min / 16u, 6);
    bytes[g + 8] = join(last.scale % 16u, last.min % 16u, 4);
  }
}

namespace detail {

/// Bytes to be masked and shifted together, the first one lowest.
inline std::uint64_t load8(std::uint8_t const* p) noexcept {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}
inline std::uint32_t load4(std::uint8_t const* p) noexcept {
  std::uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}
inline void store4(std::uint8_t* p, std::uint32_t word) noexcept { std::memcpy(p, &word, sizeof word); }
inline constexpr std::uint32_t kLowHalves = 0x0f0f0f0fu;
inline constexpr std::uint32_t kLowPairs = 0x03030303u;

/// x to the nearest integer, halves to even, within [low, high], small integers; NaN gives low.
inline float nearest_level(float x, float low, float high) noexcept {
  constexpr float kShift = 0x1.8p23F;  // a float this large has no fraction
  float const limited = std::min(x > low ? x : low, high);
  return (limited + kShift) - kShift;
}

/// Of value(0) .. value(n - 1) the one of largest magnitude, the first of equals; 0 where all are 0 or NaN.
template <std::size_t n, class Value>
float largest_of(Value const& value) noexcept {
  float largest = 0.0F;
  float magnitude = 0.0F;  // on its own: Clang 19 makes wrong code of std::abs(v) > std::abs(largest) with AVX2 at -O2
  for (std::size_t i = 0; i < n; ++i) {
    float const v = value(i);
    if (std::abs(v) > magnitude) {
      magnitude = std::abs(v);
      largest = v;
    }
  }
  return largest;
}

/// Products that a compiler may not contract with the additions that follow: they go by way of memory.
template <std::size_t n>
struct Products {
  float value[n];

  template <class Product>
  explicit Products(Product const& product) noexcept {
    for (std::size_t i = 0; i < n; ++i) value[i] = product(i);
    __asm__("" : "+m"(value));
  }
  float operator[](std::size_t i) const noexcept { return value[i]; }
  [[nodiscard]] float sum() const noexcept {
    float total = 0.0F;
    for (float const v : value) total += v;
    return total;
  }
};

}  // namespace detail

/// A group of n weights as levels: w is about scale * level - min.
template <std::size_t n>
struct KFit {
  float scale = 0.0F;
  float min = 0.0F;  // not negative
  float level[n] = {};
};

/// Levels 0 .. max (make_qkx2_quants with 21 steps from -1 by 0.1): of a grid of scales, each with the nearest levels
/// and the weighted least squares through them, the one of the smallest weighted square error, the first of equals.
/// What is best so far gives the min that later scales start from. A weight w counts by rms(w) + |w|.
template <std::size_t n>
KFit<n> fit_with_min(float const* w, float max) noexcept {
  using Products = detail::Products<n>;
  auto const rms = std::sqrt(Products([&](std::size_t i) { return w[i] * w[i]; }).sum() / static_cast<float>(n));
  float importance[n];
  float sum = 0.0F;
  for (std::size_t i = 0; i < n; ++i) {
    importance[i] = rms + std::abs(w[i]);
    sum += importance[i];
  }
  float const sum_w = Products([&](std::size_t i) { return importance[i] * w[i]; }).sum();
  float low = w[0], high = w[0];
  for (std::size_t i = 1; i < n; ++i) {
    if (w[i] < low) low = w[i];
    if (w[i] > high) high = w[i];
  }
  if (low > 0.0F) low = 0.0F;
  if (high == low) return {0.0F, -low, {}};

  auto const take_levels = [&](KFit<n>& fit, float inverse) {
    Products const scaled([&](std::size_t i) { return inverse * (w[i] - low); });
    for (std::size_t i = 0; i < n; ++i) fit.level[i] = detail::nearest_level(scaled[i], 0.0F, max);
  };
  auto const error = [&](KFit<n> const& fit) {
    Products const scaled([&](std::size_t i) { return fit.scale * fit.level[i]; });
    float difference[n];
    for (std::size_t i = 0; i < n; ++i) difference[i] = scaled[i] - fit.min - w[i];
    return Products([&](std::size_t i) { return importance[i] * (difference[i] * difference[i]); }).sum();
  };

  KFit<n> best{1.0F / (max / (high - low)), -low, {}};
  take_levels(best, max / (high - low));
  float least = error(best);
  detail::Products<21> const steps([](std::size_t i) { return 0.1F * static_cast<float>(i); });
  for (float const step : steps.value) {
    KFit<n> fit;
    take_levels(fit, (step - 1.0F + max) / (high - low));
    Products const levels([&](std::size_t i) { return importance[i] * fit.level[i]; });
    float const sum_l = levels.sum();
    float const sum_l2 = Products([&](std::size_t i) { return levels[i] * fit.level[i]; }).sum();
    float const sum_lw = Products([&](std::size_t i) { return levels[i] * w[i]; }).sum();
    detail::Products<6> const p([&](std::size_t i) {
      float const factors[][2] = {{sum, sum_l2},  {sum_l, sum_l},  {sum, sum_lw},
                                  {sum_w, sum_l}, {sum_l2, sum_w}, {sum_l, sum_lw}};
      return factors[i][0] * factors[i][1];
    });
    float const determinant = p[0] - p[1];
    if (!(determinant > 0.0F)) continue;
    fit.scale = (p[2] - p[3]) / determinant;
    fit.min = -((p[4] - p[5]) / determinant);
    if (fit.min < 0.0F) {
      fit.min = 0.0F;
      fit.scale = sum_lw / sum_l2;
    }
    if (float const total = error(fit); total < least) {
      least = total;
      best = fit;
      low = -fit.min;
    }
  }
  return best;
}

/// A group of weights, or of scales, that are all below this in magnitude counts as zeros.
inline constexpr float kSmallestMagnitude = 1e-15F;

/// Levels -max .. max - 1, and no min (make_qx_quants with rmse_type 1): of 19 scales around -max / m, for the weight m
/// of the largest magnitude, each with the nearest levels and the least squares through them, the best by their
/// correlation with the weights. A weight counts by its square.
template <std::size_t n>
KFit<n> fit_symmetric(float const* w, float max) noexcept {
  using Products = detail::Products<n>;
  float const largest = detail::largest_of<n>([&](std::size_t i) { return w[i]; });
  KFit<n> best{0.0F, 0.0F, {}};
  if (!(std::abs(largest) >= kSmallestMagnitude)) {
    std::fill(best.level, best.level + n, -max);
    return best;
  }
  float correlation = 0.0F;
  auto const attempt = [&](float inverse, bool first) {
    KFit<n> fit;
    Products const scaled([&](std::size_t i) { return inverse * w[i]; });
    for (std::size_t i = 0; i < n; ++i) fit.level[i] = detail::nearest_level(scaled[i], -max, max - 1.0F);
    float const sum_lw = Products([&](std::size_t i) { return w[i] * w[i] * w[i] * fit.level[i]; }).sum();
    float const sum_l2 = Products([&](std::size_t i) { return w[i] * w[i] * fit.level[i] * fit.level[i]; }).sum();
    if (!first && !(sum_l2 > 0.0F && sum_lw * sum_lw > correlation * sum_l2)) return;
    fit.scale = sum_l2 != 0.0F ? sum_lw / sum_l2 : 0.0F;
    correlation = fit.scale * sum_lw;
    best = fit;
  };
  detail::Products<10> const steps([](std::size_t i) { return 0.1F * static_cast<float>(i); });
  attempt(-max / largest, true);
  for (std::size_t i = 9; i > 0; --i) attempt(-(max - steps[i]) / largest, false);
  for (std::size_t i = 1; i < 10; ++i) attempt(-(max + steps[i]) / largest, false);
  return best;
}

}  // namespace lamina::inline v0_1::quant
