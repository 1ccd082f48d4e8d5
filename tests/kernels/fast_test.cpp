// Numerics::Fast: products near the exact ones, each row alone whatever rows are beside it.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "lamina/kernels/dispatch.hpp"
#include "lamina/quant/packed_matrix.hpp"

#include "doctest/doctest.h"

using namespace lamina;

namespace {

struct Operands {
  PackedMatrix w;
  std::vector<float> x;
  std::size_t out, cols, rows;

  Operands(Format format, std::size_t n_out, std::size_t n_cols, std::size_t n_rows)
      : out(n_out), cols(n_cols), rows(n_rows) {
    std::mt19937 random(static_cast<unsigned>(out * 31 + cols * 7 + rows));
    std::normal_distribution<float> normal;
    std::vector<float> weights(out * cols);
    for (float& v : weights) v = normal(random);
    Serial serial;
    w = pack_matrix(Format::kF32, std::as_bytes(std::span(weights)), out, cols, format, serial);
    x.resize(rows * cols);
    for (float& v : x) v = normal(random);
  }

  /// Rows [first, first + n), panel range all.
  [[nodiscard]] std::vector<float> multiply(KernelTable const& table, std::size_t first, std::size_t n) const {
    std::vector<float> y(n * out, 1.0F);
    MatrixView<float const> const view(x.data() + first * cols, n, cols);
    table.matmul(w.view(), 0, w.view().panels(), {view, {}}, {y.data(), n, out}, Epilogue::kAdd);
    return y;
  }
};

}  // namespace

TEST_CASE("the fast table is an exact one or avx3_bf16, and has its name") {
  KernelTable const& fast = best_kernels(Numerics::Fast);
  CHECK((&fast == &best_kernels() || (fast.name == "avx3_bf16" && !fast.bit_exact)));
  CHECK(&kernels_named(fast.name) == &fast);
}

TEST_CASE("fast products are near the exact ones") {
  for (Format const format : {Format::kBF16, Format::kF16, Format::kF32}) {
    for (std::size_t const cols : {1u, 2u, 15u, 31u, 32u, 33u, 64u, 777u}) {
      Operands const c(format, 50, cols, 11);
      auto const fast = c.multiply(best_kernels(Numerics::Fast), 0, c.rows);
      auto const exact = c.multiply(best_kernels(), 0, c.rows);
      float const tolerance = format == Format::kF32 ? 0.0F : 0.06F * std::sqrt(static_cast<float>(cols));
      float worst = 0.0F;
      for (std::size_t i = 0; i < fast.size(); ++i) worst = std::max(worst, std::abs(fast[i] - exact[i]));
      CAPTURE(traits(format).name);
      CAPTURE(cols);
      CHECK(worst <= tolerance);
    }
  }
}

TEST_CASE("fast products of small integers are exact, with strides and in parts") {
  std::size_t const out = 40, cols = 75, rows = 9, stride = 80;
  std::mt19937 random(3);
  std::vector<float> weights(out * cols), x(rows * stride);
  for (float& v : weights) v = static_cast<float>(static_cast<int>(random() % 17) - 8);
  for (float& v : x) v = static_cast<float>(static_cast<int>(random() % 17) - 8);
  Serial serial;
  for (Format const format : {Format::kBF16, Format::kF16}) {
    auto const w = pack_matrix(Format::kF32, std::as_bytes(std::span(weights)), out, cols, format, serial);
    auto const multiply = [&](KernelTable const& table, Epilogue epilogue) {
      std::vector<float> y(rows * stride, 3.0F);
      MatrixView<float const> const view(x.data(), rows, cols, stride);
      table.matmul(w.view(), 1, 3, {view, {}}, {y.data(), rows, out, stride}, epilogue);
      return y;
    };
    for (Epilogue const epilogue : {Epilogue::kStore, Epilogue::kAdd}) {
      CHECK(multiply(best_kernels(Numerics::Fast), epilogue) == multiply(reference_kernels(), epilogue));
    }
  }
}

TEST_CASE("a fast row does not depend on the rows beside it") {
  for (Format const format : {Format::kBF16, Format::kF16}) {
    for (std::size_t const out : {83u, 61u}) {  // one row: 4 panels side by side and 2; 4 with padding in the last
      Operands const c(format, out, 301, 15);
      KernelTable const& fast = best_kernels(Numerics::Fast);
      auto const all = c.multiply(fast, 0, c.rows);
      for (std::size_t r = 0; r < c.rows; ++r) {
        auto const one = c.multiply(fast, r, 1);
        CHECK(std::memcmp(one.data(), all.data() + r * c.out, c.out * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("weights rounded from F16 to BF16 at load give the fast products of F16") {
  KernelTable const& fast = best_kernels(Numerics::Fast);
  if (fast.bit_exact) {
    MESSAGE("skipped: this CPU has no avx512_bf16");
    return;
  }
  Operands c(Format::kF16, 83, 301, 11);
  auto const rounded_in_products = c.multiply(fast, 0, c.rows);
  std::vector<float> weights(c.out * c.cols);
  for (std::size_t r = 0; r < c.out; ++r) fast.embed(c.w.view(), r, weights.data() + r * c.cols);
  Serial serial;
  c.w = pack_matrix(Format::kF32, std::as_bytes(std::span(weights)), c.out, c.cols, Format::kBF16, serial);
  CHECK(c.multiply(fast, 0, c.rows) == rounded_in_products);
}
