// RMS norm, SiLU gate and softmax: every table equals the reference, which equals a calculation in double to a
// tolerance.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/elementwise_inputs.hpp"

namespace {

using lamina::KernelTable;
using lamina::MatrixView;
using lamina::test::difference;
using lamina::test::Random;

std::vector<std::size_t> const kSizes = [] {
  std::vector<std::size_t> sizes(72);
  std::iota(sizes.begin(), sizes.end(), std::size_t{1});
  sizes.insert(sizes.end(), {100, 127, 128, 288, 1023, 4096});
  return sizes;
}();

struct RmsNorm {
  std::size_t rows, cols, stride;
  std::vector<float> x, weight;

  RmsNorm(std::size_t n_rows, std::size_t n_cols, Random& random)
      : rows(n_rows),
        cols(n_cols),
        stride(n_cols + random.below(5)),
        x(random.floats(rows * stride, -3.0F, 3.0F)),
        weight(random.floats(cols, 0.0F, 2.0F)) {}

  std::vector<float> run(KernelTable const& table) const {
    std::vector<float> y(rows * (cols + 3), -1.0F);
    table.rms_norm({x.data(), rows, cols, stride}, weight, 1e-5F, {y.data(), rows, cols, cols + 3});
    return y;
  }
};

TEST_CASE("rms_norm equals the reference") {
  Random random(1);
  for (std::size_t const n : kSizes) {
    RmsNorm const norm(1 + random.below(9), n, random);  // kernels take some rows side by side, the rest one by one
    auto const want = norm.run(lamina::reference_kernels());
    for (auto const* table : lamina::available_kernels()) CHECK(difference(*table, norm.run(*table), want) == "");
  }
}

TEST_CASE("rms_norm in place gives the same") {
  constexpr std::size_t kRows = 6;
  constexpr std::size_t kCols = 77;
  Random random(2);
  RmsNorm const norm(kRows, kCols, random);
  for (auto const* table : lamina::available_kernels()) {
    auto const apart = norm.run(*table);
    auto y = norm.x;
    table->rms_norm({y.data(), kRows, kCols, norm.stride}, norm.weight, 1e-5F, {y.data(), kRows, kCols, norm.stride});
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t i = 0; i < kCols; ++i) CHECK(y[r * norm.stride + i] == apart[r * (kCols + 3) + i]);
    }
  }
}

TEST_CASE("rms_norm is what it says") {
  Random random(3);
  RmsNorm const norm(1, 200, random);
  auto const y = norm.run(lamina::reference_kernels());
  double squares = 0.0;
  for (std::size_t i = 0; i < 200; ++i) squares += static_cast<double>(norm.x[i]) * norm.x[i];
  for (std::size_t i = 0; i < 200; ++i) {
    double const want = norm.x[i] / std::sqrt(squares / 200 + 1e-5F) * norm.weight[i];
    CHECK(y[i] == doctest::Approx(want).epsilon(1e-6));
  }
}

std::vector<float> silu_gate(KernelTable const& table, std::vector<float> gate, std::vector<float> const& up) {
  table.silu_gate(gate, up);
  return gate;
}

TEST_CASE("silu_gate equals the reference for every length") {
  Random random(4);
  for (std::size_t const n : kSizes) {
    auto const gate = random.floats(n, -20.0F, 20.0F), up = random.floats(n);
    auto const want = silu_gate(lamina::reference_kernels(), gate, up);
    for (auto const* table : lamina::available_kernels()) {
      CHECK(difference(*table, silu_gate(*table, gate, up), want) == "");
    }
  }
}

TEST_CASE("silu_gate equals the reference for floats of every exponent, infinities and NaN") {
  std::vector<float> gate;
  for (std::uint64_t bits = 0; bits < 0x100000000u; bits += 16381) {
    gate.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  for (int i = -10000; i <= 10000; ++i) gate.push_back(static_cast<float>(i) * 0.01F);  // across exp's limits
  for (float const x : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    gate.push_back(x);
    gate.push_back(-x);
  }
  std::vector<float> const up(gate.size(), 1.0F);
  auto const want = silu_gate(lamina::reference_kernels(), gate, up);
  for (auto const* table : lamina::available_kernels()) {
    CHECK(difference(*table, silu_gate(*table, gate, up), want) == "");
  }
}

std::vector<float> softmax(KernelTable const& table, std::vector<float> x) {
  table.softmax(x);
  return x;
}

TEST_CASE("softmax equals the reference") {
  Random random(5);
  for (std::size_t const n : kSizes) {
    auto x = random.floats(n, -30.0F, 10.0F);
    if (n % 3 == 0) x[random.below(n)] = -std::numeric_limits<float>::infinity();
    if (n % 5 == 0) x[random.below(n)] = -1e30F;
    auto const want = softmax(lamina::reference_kernels(), x);
    for (auto const* table : lamina::available_kernels()) CHECK(difference(*table, softmax(*table, x), want) == "");
  }
}

TEST_CASE("softmax is what it says") {
  Random random(6);
  auto const x = random.floats(1000, -8.0F, 8.0F);
  auto const y = softmax(lamina::reference_kernels(), x);
  double sum = 0.0;
  for (float const v : x) sum += std::exp(static_cast<double>(v));
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(y[i] == doctest::Approx(std::exp(static_cast<double>(x[i])) / sum).epsilon(1e-6));
  }
}

TEST_CASE("a NaN anywhere makes NaN of every result") {
  Random random(7);
  for (auto const* table : lamina::available_kernels()) {
    for (std::size_t const at : {0u, 5u, 17u, 36u}) {
      auto x = random.floats(37);
      x[at] = std::numeric_limits<float>::quiet_NaN();
      for (float const y : softmax(*table, x)) CHECK(std::isnan(y));
    }
  }
}

TEST_CASE("the same bits on every architecture") {
  Random random(8);
  RmsNorm const norm(3, 300, random);
  auto const gate = random.floats(1000, -30.0F, 30.0F), up = random.floats(1000);
  auto const x = random.floats(1000, -30.0F, 3.0F);
  auto const rms = lamina::test::fingerprint(norm.run(lamina::reference_kernels()));
  auto const silu = lamina::test::fingerprint(silu_gate(lamina::reference_kernels(), gate, up));
  auto const soft = lamina::test::fingerprint(softmax(lamina::reference_kernels(), x));
  CHECK(rms == 11750213528456828832u);
  CHECK(silu == 2205890226878914196u);
  CHECK(soft == 12543107432067305121u);
}

}  // namespace
