// Rotary embedding: frequencies and angles against long double, rotations against the reference.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "kernels/elementwise_inputs.hpp"

namespace {

using lamina::KernelTable;
using lamina::RopeLayout;
using lamina::test::difference;
using lamina::test::Random;

std::vector<double> frequencies(double base, std::size_t dim) {
  std::vector<double> f(dim / 2);
  lamina::reference_kernels().rope_frequencies(base, dim, f);
  return f;
}

TEST_CASE("frequencies are base^(-2 i / dim)") {
  for (double const base : {10000.0, 500000.0, 1e6, 8e6}) {
    for (std::size_t const dim : {8u, 64u, 128u, 256u}) {
      auto const f = frequencies(base, dim);
      for (std::size_t i = 0; i < f.size(); ++i) {
        long double const exponent = -2.0L * static_cast<long double>(i) / static_cast<long double>(dim);
        long double const want = std::pow(static_cast<long double>(base), exponent);
        CHECK(std::fabs((f[i] - want) / want) < 5e-15L);
      }
    }
  }
}

TEST_CASE("angles are right up to position 2^20") {
  auto const f = frequencies(500000.0, 128);
  for (std::size_t const position : {0u, 1u, 2u, 511u, 8191u, 131071u, 1048576u}) {
    std::vector<float> cos(64), sin(64);
    lamina::best_kernels().rope_angles(position, f, cos.data(), sin.data());
    for (std::size_t i = 0; i < 64; ++i) {
      long double const exponent = -static_cast<long double>(i) / 64.0L;
      long double const angle = static_cast<long double>(position) * std::pow(500000.0L, exponent);
      CHECK(std::fabs(cos[i] - std::cos(angle)) < 6.1e-8L);  // half a unit in the last place below 1, and 1e-9
      CHECK(std::fabs(sin[i] - std::sin(angle)) < 6.1e-8L);
    }
  }
}

TEST_CASE("scaling: linear divides, llama3 divides low frequencies and keeps high ones") {
  auto const f = frequencies(500000.0, 128);
  auto const scaled = [&](lamina::RopeScaling const& scaling) {
    auto copy = f;
    lamina::best_kernels().rope_scale(scaling, copy);
    return copy;
  };
  CHECK(scaled({}) == f);
  auto const linear = scaled({.kind = lamina::RopeScalingKind::kLinear, .factor = 4.0});
  for (std::size_t i = 0; i < f.size(); ++i) CHECK(linear[i] == f[i] / 4.0);

  auto const llama3 = scaled({.kind = lamina::RopeScalingKind::kLlama3,
                              .factor = 8.0,
                              .low_freq_factor = 1.0,
                              .high_freq_factor = 4.0,
                              .original_context = 8192.0});
  int kept = 0, divided = 0, blended = 0;
  for (std::size_t i = 0; i < f.size(); ++i) {
    double const wavelength = 2.0 * std::acos(-1.0) / f[i];
    if (wavelength < 8192.0 / 4.0) {
      CHECK(llama3[i] == f[i]);
      ++kept;
    } else if (wavelength > 8192.0) {
      CHECK(llama3[i] == f[i] / 8.0);
      ++divided;
    } else {
      double const s = (8192.0 / wavelength - 1.0) / 3.0;
      CHECK(llama3[i] == doctest::Approx(s * f[i] + (1.0 - s) * f[i] / 8.0).epsilon(1e-12));
      ++blended;
    }
  }
  CHECK(kept > 0);
  CHECK(divided > 0);
  CHECK(blended > 0);
}

struct Rotation {
  std::size_t n_heads, head_dim, n_pairs;
  std::vector<float> x, cos, sin;

  Rotation(std::size_t heads, std::size_t dim, std::size_t pairs, Random& random)
      : n_heads(heads), head_dim(dim), n_pairs(pairs), x(random.floats(heads * dim)), cos(pairs), sin(pairs) {
    auto const f = frequencies(10000.0, 2 * pairs);
    lamina::reference_kernels().rope_angles(random.below(5000), f, cos.data(), sin.data());
  }

  std::vector<float> run(KernelTable const& table, RopeLayout layout) const {
    auto y = x;
    table.rope(y.data(), n_heads, head_dim, n_pairs, cos.data(), sin.data(), layout);
    return y;
  }
};

TEST_CASE("rope equals the reference, in both layouts, for every number of pairs") {
  Random random(1);
  for (std::size_t pairs = 1; pairs <= 70; ++pairs) {
    Rotation const rotation(1 + random.below(4), 2 * pairs + random.below(7), pairs, random);
    for (auto const layout : {RopeLayout::kInterleaved, RopeLayout::kHalves}) {
      auto const want = rotation.run(lamina::reference_kernels(), layout);
      for (auto const* table : lamina::available_kernels()) {
        CHECK(difference(*table, rotation.run(*table, layout), want) == "");
      }
    }
  }
}

TEST_CASE("rope rotates pairs and leaves the rest of the head alone") {
  Random random(2);
  Rotation const rotation(2, 24, 10, random);
  for (auto const* table : lamina::available_kernels()) {
    auto const interleaved = rotation.run(*table, RopeLayout::kInterleaved);
    auto const halves = rotation.run(*table, RopeLayout::kHalves);
    for (std::size_t h = 0; h < 2; ++h) {
      float const* x = &rotation.x[h * 24];
      for (std::size_t i = 0; i < 10; ++i) {
        double const c = rotation.cos[i], s = rotation.sin[i];
        CHECK(interleaved[h * 24 + 2 * i] == doctest::Approx(x[2 * i] * c - x[2 * i + 1] * s).epsilon(1e-5));
        CHECK(interleaved[h * 24 + 2 * i + 1] == doctest::Approx(x[2 * i] * s + x[2 * i + 1] * c).epsilon(1e-5));
        CHECK(halves[h * 24 + i] == doctest::Approx(x[i] * c - x[i + 10] * s).epsilon(1e-5));
        CHECK(halves[h * 24 + i + 10] == doctest::Approx(x[i] * s + x[i + 10] * c).epsilon(1e-5));
      }
      for (std::size_t i = 20; i < 24; ++i) {
        CHECK(interleaved[h * 24 + i] == x[i]);
        CHECK(halves[h * 24 + i] == x[i]);
      }
    }
  }
}

TEST_CASE("the same bits on every architecture") {
  std::vector<float> angles;
  auto f = frequencies(500000.0, 128);
  lamina::reference_kernels().rope_scale({.kind = lamina::RopeScalingKind::kLlama3, .factor = 8.0}, f);
  for (std::size_t position = 0; position < 1000000; position += 4999) {
    std::vector<float> cos(64), sin(64);
    lamina::reference_kernels().rope_angles(position, f, cos.data(), sin.data());
    angles.insert(angles.end(), cos.begin(), cos.end());
    angles.insert(angles.end(), sin.begin(), sin.end());
  }
  Random random(3);
  auto const turned = Rotation(4, 128, 64, random).run(lamina::reference_kernels(), RopeLayout::kInterleaved);
  CHECK(lamina::test::fingerprint(angles) == 15111111129934907966u);
  CHECK(lamina::test::fingerprint(turned) == 14046076441552022760u);
}

}  // namespace
