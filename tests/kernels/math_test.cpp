#include "lamina/kernels/reference_math.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/elementwise_inputs.hpp"

namespace {

namespace reference = lamina::reference;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// |got - want| in units of want's last place as a float.
double ulps(float got, double want) {
  int exponent = 0;
  std::frexp(want, &exponent);
  return std::fabs(static_cast<double>(got) - want) / std::ldexp(1.0, exponent - 24);
}

/// Calls body with about 2^20 floats of every sign and exponent below `top`.
template <class Body>
void for_many_floats(float top, Body&& body) {
  for (std::uint32_t bits = 0; bits < std::bit_cast<std::uint32_t>(top); bits += 2039) {
    body(std::bit_cast<float>(bits));
    body(-std::bit_cast<float>(bits));
  }
}

TEST_CASE("exp is within 0.9 ulp where its result is normal") {
  double worst = 0.0;
  for_many_floats(reference::ExpConstants::kHighest, [&](float x) {
    if (x < reference::ExpConstants::kLowest) return;
    worst = std::fmax(worst, ulps(reference::exp(x), std::exp(static_cast<double>(x))));
  });
  CHECK(worst < 0.9);
  CHECK(worst > 0.5);  // else the test does not see the worst case
}

TEST_CASE("exp at its edges") {
  using C = reference::ExpConstants;
  CHECK(reference::exp(0.0F) == 1.0F);
  CHECK(reference::exp(-0.0F) == 1.0F);
  CHECK(reference::exp(C::kLowest) >= std::numeric_limits<float>::min());
  CHECK(reference::exp(std::nextafter(C::kLowest, -kInfinity)) == 0.0F);
  CHECK(std::isfinite(reference::exp(C::kHighest)));
  CHECK(reference::exp(std::nextafter(C::kHighest, kInfinity)) == kInfinity);
  for (float const x : {-1e10F, -1e38F, -kInfinity}) CHECK(lamina::test::same(reference::exp(x), 0.0F));
  for (float const x : {1e10F, 1e38F, kInfinity}) CHECK(reference::exp(x) == kInfinity);
  CHECK(std::isnan(reference::exp(kNaN)));
  for (std::uint32_t bits = 0x7f800001u; bits < 0x80000000u; bits += 4001) {  // payloads that could fake an exponent
    CHECK(std::isnan(reference::exp(std::bit_cast<float>(bits))));
  }
}

TEST_CASE("silu is within 2.5 ulp, and finite for every finite x") {
  double worst = 0.0;
  for_many_floats(87.0F, [&](float x) {
    double const want = static_cast<double>(x) / (1.0 + std::exp(-static_cast<double>(x)));
    if (std::fabs(want) >= 0x1p-126) worst = std::fmax(worst, ulps(reference::silu(x), want));
  });
  CHECK(worst < 2.5);
  for (float const x : {-89.0F, -1000.0F, -3e38F}) CHECK(lamina::test::same(reference::silu(x), -0.0F));
  CHECK(reference::silu(3e38F) == 3e38F);
  CHECK(std::isnan(reference::silu(kNaN)));
}

TEST_CASE("sum16 adds halves: 8, 4, 2, 1") {
  std::array<float, 16> s{};
  for (std::size_t i = 0; i < 16; ++i) s[i] = std::ldexp(1.0F, static_cast<int>(i) * 3);
  float const eights[] = {s[0] + s[8],  s[1] + s[9],  s[2] + s[10], s[3] + s[11],
                          s[4] + s[12], s[5] + s[13], s[6] + s[14], s[7] + s[15]};
  float const want =
      ((eights[0] + eights[4]) + (eights[2] + eights[6])) + ((eights[1] + eights[5]) + (eights[3] + eights[7]));
  CHECK(reference::sum16(s) == want);
}

TEST_CASE("product rounds once") {
  float const a = 1.0F + 0x1p-12F;
  CHECK(reference::product(a, a) - 1.0F == 0x1p-11F);  // the 2^-24 is gone; fused, it would stay
  CHECK(std::fma(a, a, -1.0F) != 0x1p-11F);
}

TEST_CASE("sin and cos up to 2^21") {
  lamina::test::Random random(1);
  long double worst = 0.0L;
  for (int i = 0; i < 100000; ++i) {
    double const x = static_cast<double>(random.bits() >> 11) * 0x1p-53 * std::ldexp(1.0, static_cast<int>(i % 22));
    auto const got = reference::sin_cos(x);
    worst = std::fmax(worst, std::fabs(static_cast<long double>(got.sin) - std::sin(static_cast<long double>(x))));
    worst = std::fmax(worst, std::fabs(static_cast<long double>(got.cos) - std::cos(static_cast<long double>(x))));
  }
  CHECK(worst < 3e-16L);
  CHECK(reference::sin_cos(0.0).sin == 0.0);
  CHECK(reference::sin_cos(0.0).cos == 1.0);
}

TEST_CASE("log2 and exp2") {
  lamina::test::Random random(2);
  long double worst_log = 0.0L, worst_exp = 0.0L;
  for (int i = 0; i < 50000; ++i) {
    double const x = std::exp2((static_cast<double>(random.bits() >> 11) * 0x1p-53 - 0.5) * 60.0);
    long double const log = std::log2(static_cast<long double>(x));
    worst_log = std::fmax(worst_log, std::fabs((reference::log2(x) - log) / log));
    double const y = (static_cast<double>(random.bits() >> 11) * 0x1p-53 - 0.5) * 80.0;
    long double const exp = std::exp2(static_cast<long double>(y));
    worst_exp = std::fmax(worst_exp, std::fabs((reference::exp2(y) - exp) / exp));
  }
  CHECK(worst_log < 4e-16L);
  CHECK(worst_exp < 3e-16L);
  for (int e = -40; e <= 40; ++e) {
    CHECK(reference::log2(std::ldexp(1.0, e)) == e);
    CHECK(reference::exp2(e) == std::ldexp(1.0, e));
  }
}

}  // namespace
