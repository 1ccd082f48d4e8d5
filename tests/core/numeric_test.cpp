#include "lamina/core/numeric.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace {

using lamina::Bfloat16;
using lamina::Half;

// A half's value from its definition, in arithmetic that is exact in double.
double value_of(Half h) {
  int const exponent = (h.bits >> 10) & 0x1f;
  int const mantissa = h.bits & 0x3ff;
  double const magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(static_cast<double>(1024 + mantissa), exponent - 25);
  return (h.bits & 0x8000) != 0 ? -magnitude : magnitude;
}

// Rounds by looking for the neighbours: the slow, independent way. Positive finite values.
Half nearest_half(double value) {
  std::uint16_t low = 0;
  std::uint16_t high = 0x7c00;  // infinity, which rounding treats as 2^16
  auto const value_at = [](std::uint16_t bits) { return bits == 0x7c00 ? 65536.0 : value_of(Half{bits}); };
  while (high - low > 1) {
    auto const middle = static_cast<std::uint16_t>((low + high) / 2);
    (value_at(middle) <= value ? low : high) = middle;
  }
  if (value >= 65536.0) return Half{0x7c00};
  double const below = value - value_at(low);
  double const above = value_at(high) - value;
  if (below != above) return Half{below < above ? low : high};
  return Half{(low & 1) == 0 ? low : high};
}

std::uint32_t bits_of(float f) { return std::bit_cast<std::uint32_t>(f); }
float float_of(std::uint32_t bits) { return std::bit_cast<float>(bits); }

void check_rounding(float value) {
  Half const expected = nearest_half(static_cast<double>(value));
  CHECK_MESSAGE(lamina::to_half(value).bits == expected.bits, "value ", value);
  CHECK_MESSAGE(lamina::to_half(-value).bits == (expected.bits | 0x8000), "value ", -value);
}

TEST_CASE("each of the 65536 halves has the value that its bits define, and survives the round trip") {
  int wrong_values = 0;
  int wrong_trips = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    Half const h{static_cast<std::uint16_t>(bits)};
    float const f = lamina::to_float(h);
    if ((bits & 0x7c00) == 0x7c00) {
      bool const infinite = (bits & 0x3ff) == 0;
      wrong_values += infinite ? !std::isinf(f) : !std::isnan(f);
      wrong_values += std::signbit(f) != ((bits & 0x8000) != 0);
      std::uint32_t const quiet = infinite ? bits : bits | 0x200;
      wrong_trips += lamina::to_half(f).bits != quiet;
    } else {
      wrong_values += static_cast<double>(f) != value_of(h) || std::signbit(f) != ((bits & 0x8000) != 0);
      wrong_trips += lamina::to_half(f) != h;
    }
  }
  CHECK(wrong_values == 0);
  CHECK(wrong_trips == 0);
}

TEST_CASE("to_half rounds to nearest even at every tie and on both sides of it") {
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    double const low = value_of(Half{static_cast<std::uint16_t>(bits)});
    double const high = bits == 0x7bff ? 65536.0 : value_of(Half{static_cast<std::uint16_t>(bits + 1)});
    auto const tie = static_cast<float>((low + high) / 2);  // exact: one bit more than a half has
    for (float const value : {std::nextafter(tie, 0.0F), tie, std::nextafter(tie, 1e9F)}) {
      std::uint16_t const expected = nearest_half(static_cast<double>(value)).bits;
      REQUIRE(lamina::to_half(value).bits == expected);
      REQUIRE(lamina::to_half(-value).bits == (expected | 0x8000));
    }
  }
}

TEST_CASE("to_half rounds as the slow way does for random bits of all magnitudes") {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    float const value = float_of(static_cast<std::uint32_t>(random()) & 0x7fffffffU);
    if (std::isfinite(value)) REQUIRE(lamina::to_half(value).bits == nearest_half(static_cast<double>(value)).bits);
  }
}

TEST_CASE("to_half at the borders: zero, subnormals, overflow, infinity, NaN") {
  for (float const value : {0.0F, 0x1p-25F, 0x1.000002p-25F, 0x1p-24F, 0x1.8p-24F, 0x1p-14F, 0x1.ffcp-15F, 65504.0F,
                            65519.996F, 65520.0F, 65536.0F, 3e38F, 1e-40F}) {
    check_rounding(value);
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK(lamina::to_half(kInfinity).bits == 0x7c00);
  CHECK(lamina::to_half(-kInfinity).bits == 0xfc00);
  CHECK(lamina::to_half(float_of(0x7f800001)).bits == 0x7e00);  // a signalling NaN becomes quiet
  CHECK(lamina::to_half(float_of(0xffc02000)).bits == 0xfe01);  // the payload's upper bits stay
}

TEST_CASE("bfloat16 is the upper half of a float, rounded to nearest even") {
  int wrong_trips = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    Bfloat16 const b{static_cast<std::uint16_t>(bits)};
    float const f = lamina::to_float(b);
    bool const nan = (bits & 0x7fff) > 0x7f80;
    wrong_trips += bits_of(f) != bits << 16;
    wrong_trips += lamina::to_bfloat16(f).bits != (nan ? bits | 0x40 : bits);
  }
  CHECK(wrong_trips == 0);

  std::mt19937 random(2);
  for (int i = 0; i < 200'000; ++i) {
    auto bits = static_cast<std::uint32_t>(random());
    if (i % 2 == 0) bits = (bits & 0xffff0000U) | 0x8000U | (bits & 1U);  // ties, and just above
    float const value = float_of(bits);
    if (!std::isfinite(value)) continue;
    std::uint32_t const low = bits >> 16;
    std::uint32_t const rest = bits & 0xffffU;
    bool const up = rest > 0x8000U || (rest == 0x8000U && (low & 1U) != 0);
    REQUIRE(lamina::to_bfloat16(value).bits == low + (up ? 1U : 0U));
  }
  CHECK(lamina::to_bfloat16(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(lamina::to_bfloat16(float_of(0x7f800001)).bits == 0x7fc0);
}

static_assert(lamina::to_float(Half{0x3c00}) == 1.0F, "conversions are constant expressions");
static_assert(lamina::to_half(-2.0F).bits == 0xc000);

TEST_CASE("checked arithmetic refuses exactly what does not fit") {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  CHECK(lamina::checked_mul<std::uint64_t>(kMax, 1) == kMax);
  CHECK(lamina::checked_mul<std::uint64_t>(kMax, 0) == 0U);
  CHECK(lamina::checked_mul<std::uint64_t>(0, kMax) == 0U);
  CHECK_FALSE(lamina::checked_mul<std::uint64_t>(kMax, 2));
  CHECK_FALSE(lamina::checked_mul<std::uint64_t>(1ULL << 32, 1ULL << 32));
  CHECK(lamina::checked_mul<std::uint64_t>(kMax / 3, 3) == kMax);
  CHECK(lamina::checked_add<std::uint64_t>(kMax, 0) == kMax);
  CHECK_FALSE(lamina::checked_add<std::uint64_t>(kMax, 1));
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      auto const x = static_cast<std::uint8_t>(a);
      auto const y = static_cast<std::uint8_t>(b);
      REQUIRE(lamina::checked_mul(x, y).has_value() == (a * b < 256));
      REQUIRE(lamina::checked_add(x, y).has_value() == (a + b < 256));
    }
  }
  static_assert(lamina::div_ceil(0, 16) == 0 && lamina::div_ceil(16, 16) == 1 && lamina::div_ceil(17, 16) == 2);
  static_assert(lamina::round_up(0, 64) == 0 && lamina::round_up(65, 64) == 128);
}

}  // namespace
