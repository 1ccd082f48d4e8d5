// The functions that the kernels need, written out: exp, silu, the fixed-order sum, and in double precision sin, cos,
// log2, exp2 for RoPE's angles.
//
// Every line is one IEEE operation with one rounding: std::fma, +, -, /, sqrt and integer operations on bits. A product
// never feeds an addition but through std::fma, so that no contraction setting can change a bit; where a product has to
// be rounded before it is added to something, `product` says so. SIMD kernels do the same operations in the same order.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace lamina::inline v0_1::reference {

/// a * b, rounded once, that no compiler can fuse with an addition that follows. GCC fuses across statements and
/// through intrinsics by default (-ffp-contract=fast). A result of -0 becomes +0.
inline float product(float a, float b) noexcept { return std::fma(a, b, 0.0F); }
inline double product(double a, double b) noexcept { return std::fma(a, b, 0.0); }

/// Constants of exp, for the SIMD version too.
struct ExpConstants {
  // Results are normal numbers or 0: below ln(2^-126), where they would be subnormal, exp is 0.
  static constexpr float kLowest = -87.3365F;
  static constexpr float kHighest = 88.37F;  // 127.5 ln 2: above, exp is infinity
  static constexpr float kLog2E = 0x1.715476p+0F;
  // Adding 1.5 * 2^23 rounds to an integer in the low bits; 127 more makes those bits the exponent of 2^n.
  static constexpr float kRound = 12582912.0F + 127.0F;
  static constexpr float kLn2High = 0x1.62e430p-1F;  // n * high is exact inside the FMA, and so is x - n * high
  static constexpr float kLn2Low = -0x1.05c610p-29F;
  // Minimax for (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2, weighted for the relative error of exp, which is 3.1e-9.
  static constexpr std::array<float, 5> kPolynomial = {0x1.6a241ap-10F, 0x1.1239f2p-7F, 0x1.5558f2p-5F, 0x1.555492p-3F,
                                                       0x1.fffffcp-2F};
};

/// exp(x): within 0.9 ulp in [kLowest, kHighest], 0 below, infinity above; exp(+-0) = 1; NaN stays NaN.
/// Cody & Waite, 1980, "Software Manual for the Elementary Functions".
inline float exp(float x) noexcept {
  using C = ExpConstants;
  float const shifted = std::fma(x, C::kLog2E, C::kRound);
  float const n = shifted - C::kRound;
  float r = std::fma(n, -C::kLn2High, x);
  r = std::fma(n, -C::kLn2Low, r);
  float p = C::kPolynomial[0];
  for (std::size_t i = 1; i < C::kPolynomial.size(); ++i) p = std::fma(p, r, C::kPolynomial[i]);
  p = std::fma(p, r, 1.0F);
  p = std::fma(p, r, 1.0F);
  float const power = std::bit_cast<float>(std::bit_cast<std::uint32_t>(shifted) << 23);  // 2^n
  if (x < C::kLowest) return 0.0F;
  if (x > C::kHighest) return std::numeric_limits<float>::infinity();
  return p * power;  // exact, so that it makes no difference if this is fused with an addition
}

/// x / (1 + exp(-x)), within 2.5 ulp; -0 where x < -kHighest; NaN for NaN and -infinity.
inline float silu(float x) noexcept { return x / (1.0F + exp(-x)); }

/// Adds up 16 partial sums: halves are added until one is left. With partial sums by index modulo 16, this is the order
/// of every reduction whose width is not the contract's own; registers of 4, 8 and 16 lanes follow it equally well.
inline float sum16(std::array<float, 16> s) noexcept {
  for (std::size_t half = 8; half != 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) s[i] = s[i] + s[i + half];
  }
  return s[0];
}

/// log2(x) for positive normal x, to a relative error of 4e-16. By atanh's series around the nearest power of two.
inline double log2(double x) noexcept {
  constexpr double kTwoOverLn2 = 2.8853900817779268;
  auto const bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<double>(static_cast<int>(bits >> 52) - 1023);
  double mantissa = std::bit_cast<double>((bits & 0xfffffffffffffu) | 0x3ff0000000000000u);
  if (mantissa > 1.4142135623730951) {
    mantissa = mantissa * 0.5;  // exact
    exponent = exponent + 1.0;
  }
  double const s = (mantissa - 1.0) / (mantissa + 1.0);  // |s| <= 0.172
  double const z = s * s;
  double p = 0.0;
  for (int k = 23; k >= 1; k -= 2) p = std::fma(p, z, 1.0 / k);  // atanh(s) / s = 1 + z / 3 + z^2 / 5 + ...
  return std::fma(p * s, kTwoOverLn2, exponent);
}

/// 2^x for x in [-1022, 1023], to a relative error of 3e-16. Taylor series around the nearest integer.
inline double exp2(double x) noexcept {
  constexpr double kLn2 = 0.69314718055994531;
  constexpr double kRound = 0x1.8p52;
  double const n = (x + kRound) - kRound;
  double const r = (x - n) * kLn2;
  double p = 1.0;
  for (int k = 14; k >= 1; --k) p = std::fma(r / k, p, 1.0);  // 1 + r (1 + r / 2 (1 + r / 3 (...)))
  auto const exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023);
  return p * std::bit_cast<double>(exponent << 52);
}

struct SinCos {
  double sin;
  double cos;
};

/// sin and cos of x for |x| <= 2^21, with an absolute error below 3e-16. Cody-Waite reduction by pi / 2, Taylor series.
inline SinCos sin_cos(double x) noexcept {
  constexpr double kTwoOverPi = 0.63661977236758134;
  constexpr double kHalfPiHigh = 1.5707963267948966;
  constexpr double kHalfPiLow = 6.123233995736766e-17;
  constexpr double kRound = 0x1.8p52;
  // -1 / 3!, 1 / 5!, ... up to r^17, and -1 / 2!, 1 / 4!, ... up to r^16: the next term is below 1e-18 for r = pi / 4.
  constexpr std::array<double, 8> kSin = {
      1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
      1.0 / 362880,          -1.0 / 5040,          1.0 / 120,        -1.0 / 6};
  constexpr std::array<double, 8> kCos = {1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800,
                                          1.0 / 40320,          -1.0 / 720,         1.0 / 24,        -1.0 / 2};
  double const n = std::fma(x, kTwoOverPi, kRound) - kRound;
  double r = std::fma(n, -kHalfPiHigh, x);
  r = std::fma(n, -kHalfPiLow, r);
  double const z = r * r;
  double s = kSin[0], c = kCos[0];
  for (std::size_t i = 1; i < kSin.size(); ++i) {
    s = std::fma(s, z, kSin[i]);
    c = std::fma(c, z, kCos[i]);
  }
  s = std::fma(s * z, r, r);
  c = std::fma(c, z, 1.0);
  switch (static_cast<std::int64_t>(n) & 3) {  // quarter turns
    case 0: return {s, c};
    case 1: return {c, -s};
    case 2: return {-s, -c};
    default: return {-c, s};
  }
}

}  // namespace lamina::inline v0_1::reference
