// 16-bit floating-point types, exact conversions, and overflow-checked size arithmetic.
//
// Conversions use integer operations only, so they give the same bits under any compiler setting.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace lamina::inline v0_1 {

/// IEEE 754 binary16, a storage type.
struct Half {
  std::uint16_t bits;
  friend constexpr bool operator==(Half, Half) = default;
};

/// bfloat16, the upper half of a binary32; a storage type.
struct Bfloat16 {
  std::uint16_t bits;
  friend constexpr bool operator==(Bfloat16, Bfloat16) = default;
};

/// Exact. NaN stays NaN, with its payload shifted.
constexpr float to_float(Half h) noexcept {
  std::uint32_t const sign = static_cast<std::uint32_t>(h.bits & 0x8000u) << 16;
  std::uint32_t const exponent = (h.bits >> 10) & 0x1fu;
  std::uint32_t const mantissa = h.bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  if (mantissa == 0) return std::bit_cast<float>(sign);
  // Subnormal: mantissa * 2^-24, normalized by the position of its leading bit.
  auto const shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21u;
  return std::bit_cast<float>(sign | ((113u - shift) << 23) | (((mantissa << shift) & 0x3ffu) << 13));
}

/// Rounds to nearest, ties to even, as F16C and Arm's FCVT do; overflow gives infinity, NaN becomes quiet.
constexpr Half to_half(float value) noexcept {
  std::uint32_t const x = std::bit_cast<std::uint32_t>(value);
  auto const sign = static_cast<std::uint16_t>((x >> 16) & 0x8000u);
  std::uint32_t const magnitude = x & 0x7fffffffu;
  auto const pack = [sign](std::uint32_t rest) { return Half{static_cast<std::uint16_t>(sign | rest)}; };
  if (magnitude > 0x7f800000u) return pack(0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return pack(0x7c00u);  // 65520 and above round to infinity
  if (magnitude >= 0x38800000u) {                      // normal: 2^-14 and above
    std::uint32_t const rebased = magnitude - 0x38000000u;
    return pack((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13);
  }
  if (magnitude <= 0x33000000u) return pack(0);          // 2^-25 and below round to zero
  std::uint32_t const shift = 126u - (magnitude >> 23);  // 14 .. 24
  std::uint32_t const mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  std::uint32_t const kept = mantissa >> shift;
  std::uint32_t const rest = mantissa & ((1u << shift) - 1u);
  std::uint32_t const half = 1u << (shift - 1u);
  return pack(kept + ((rest > half || (rest == half && (kept & 1u))) ? 1u : 0u));
}

/// Exact.
constexpr float to_float(Bfloat16 b) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(b.bits) << 16); }

/// Rounds to nearest, ties to even; NaN becomes quiet.
constexpr Bfloat16 to_bfloat16(float value) noexcept {
  std::uint32_t const x = std::bit_cast<std::uint32_t>(value);
  if ((x & 0x7fffffffu) > 0x7f800000u) return Bfloat16{static_cast<std::uint16_t>((x >> 16) | 0x40u)};
  return Bfloat16{static_cast<std::uint16_t>((x + 0x7fffu + ((x >> 16) & 1u)) >> 16)};
}

/// a * b, or nothing where it does not fit. For sizes that come from a file.
template <std::unsigned_integral T>
constexpr std::optional<T> checked_mul(T a, T b) noexcept {
  if (b != 0 && a > std::numeric_limits<T>::max() / b) return std::nullopt;
  return static_cast<T>(a * b);
}

/// a + b, or nothing where it does not fit.
template <std::unsigned_integral T>
constexpr std::optional<T> checked_add(T a, T b) noexcept {
  if (a > std::numeric_limits<T>::max() - b) return std::nullopt;
  return static_cast<T>(a + b);
}

constexpr std::size_t div_ceil(std::size_t n, std::size_t d) noexcept { return n / d + (n % d != 0 ? 1 : 0); }

/// The next multiple of `unit` that is not below n.
constexpr std::size_t round_up(std::size_t n, std::size_t unit) noexcept { return div_ceil(n, unit) * unit; }

}  // namespace lamina::inline v0_1
