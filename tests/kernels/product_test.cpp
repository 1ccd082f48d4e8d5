// Products: every table of this CPU equals the scalar reference to the bit; the reference equals a plain definition.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "lamina/core/aligned.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/quant/packed_matrix.hpp"

#include "doctest/doctest.h"

using namespace lamina;

namespace {

struct Quantized {
  std::vector<std::byte> bytes;
  QuantizedRows rows;

  Quantized(std::size_t n_rows, std::size_t n_cols)
      : bytes(n_rows * QuantizedRows::row_bytes(n_cols)), rows(bytes.data(), n_rows, n_cols) {}
  Quantized(KernelTable const& table, MatrixView<float const> x) : Quantized(x.rows, x.cols) {
    table.quantize_rows(x, rows, 0, 0);
  }
};

enum class Values { kNormal, kExtreme };

/// The next number of columns that a format can have.
std::size_t whole_blocks(Format format, std::size_t cols) { return round_up(cols, traits(format).block); }

/// Random stored blocks of a format; kExtreme takes any bytes for the weights, and factors of every kind but NaN.
std::vector<std::byte> random_rows(Format format, std::size_t rows, std::size_t cols, Values values,
                                   std::mt19937& random) {
  std::vector<std::byte> bytes(rows * row_bytes(format, cols));
  std::normal_distribution<float> normal;
  visit_format(format, [&]<WeightFormat F>() {
    auto* blocks = reinterpret_cast<typename F::Block*>(bytes.data());
    for (std::size_t i = 0; i < rows * cols / F::kBlock; ++i) {
      float weights[F::kBlock];
      for (float& w : weights) w = normal(random);
      F::quantize(weights, blocks[i]);
      if constexpr (F::kQuantized) {
        if (values == Values::kExtreme) {
          for (std::size_t at = 0; at < sizeof blocks[i]; ++at) {
            bytes[i * sizeof blocks[i] + at] = static_cast<std::byte>(random());
          }
          if (random() % 4 == 0)
            std::memset(&blocks[i], static_cast<int>(random() % 2 == 0 ? 0x80 : 0xff), sizeof blocks[i]);
          std::uint16_t const factors[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x7bff, 0xfbff, 0x3c00, 0x0400};
          blocks[i].d = Half{factors[random() % 8]};
          if constexpr (HasMin<F>) blocks[i].dmin = Half{factors[random() % 8]};
        }
      }
    }
  });
  return bytes;
}

std::vector<float> random_floats(std::size_t n, Values values, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) {
    v = normal(random);
    if (values == Values::kExtreme && random() % 3 == 0) v = random() % 2 == 0 ? 3.0F : -3.0F;
    if (values == Values::kExtreme && random() % 50 == 0) v = 1e-42F;
  }
  return x;
}

/// Equal bits, except where the table has no FMA.
void check_same(KernelTable const& table, std::vector<float> const& got, std::vector<float> const& expected,
                std::string const& what) {
  std::size_t wrong = 0;
  float magnitude = 1.0F;
  for (float const e : expected) magnitude = std::max(magnitude, std::abs(e));
  for (std::size_t i = 0; i < got.size(); ++i) {
    bool const same = table.bit_exact ? std::memcmp(&got[i], &expected[i], sizeof(float)) == 0
                                      : std::abs(got[i] - expected[i]) <= 1e-5F * magnitude;
    wrong += same ? 0 : 1;
  }
  INFO(table.name, " ", what);
  CHECK(wrong == 0);
}

struct Case {
  Format format;
  std::size_t out, cols, rows;
  Values values = Values::kNormal;
};

void check_case(Case const& c) {
  std::mt19937 random(static_cast<unsigned>(c.out * 7919 + c.cols * 31 + c.rows));
  Serial serial;
  auto const stored = random_rows(c.format, c.out, c.cols, c.values, random);
  auto const w = pack_matrix(c.format, stored, c.out, c.cols, c.format, serial);
  auto const x = random_floats(c.rows * c.cols, c.values, random);
  MatrixView<float const> const x_view(x.data(), c.rows, c.cols);
  Quantized q8(c.rows, c.cols);
  if (traits(c.format).quantized) reference_kernels().quantize_rows(x_view, q8.rows, 0, 0);
  Activations const activations{x_view, q8.rows};
  auto const before = random_floats(c.rows * c.out, Values::kNormal, random);
  std::size_t const panels = w.view().panels();

  for (Epilogue const epilogue : {Epilogue::kStore, Epilogue::kAdd}) {
    auto const run = [&](KernelTable const& table, std::size_t first, std::size_t last) {
      auto y = before;
      table.matmul(w.view(), first, last, activations, MatrixView<float>(y.data(), c.rows, c.out), epilogue);
      return y;
    };
    auto const expected = run(reference_kernels(), 0, panels);
    auto const expected_part = run(reference_kernels(), panels / 2, panels);
    for (KernelTable const* table : available_kernels()) {
      std::string const what = std::string(traits(c.format).name) + " " + std::to_string(c.out) + "x" +
                               std::to_string(c.cols) + " rows " + std::to_string(c.rows);
      check_same(*table, run(*table, 0, panels), expected, what);
      check_same(*table, run(*table, panels / 2, panels), expected_part, what + " second half");
    }
  }
}

}  // namespace

TEST_CASE("every table multiplies as the reference does, for any number of rows and columns") {
  for (FormatTraits const& t : kFormats) {
    for (std::size_t rows = 1; rows <= 9; ++rows) check_case({t.format, 48, whole_blocks(t.format, 96), rows});
    for (std::size_t const rows : {15u, 16u, 17u, 31u, 33u}) {
      check_case({t.format, 35, whole_blocks(t.format, 64), rows});
    }
    for (std::size_t const out : {1u, 15u, 17u, 100u}) check_case({t.format, out, whole_blocks(t.format, 32), 5});
    check_case({t.format, 40, 2048, 3});
    check_case({t.format, 16, 14336, 21});
  }
  for (Format const format : {Format::kF32, Format::kF16, Format::kBF16}) check_case({format, 33, 37, 6});
}

TEST_CASE("extreme weights and scales") {
  for (FormatTraits const& t : kFormats) {
    if (!t.quantized) continue;
    for (std::size_t const rows : {1u, 3u, 4u, 7u, 8u}) check_case({t.format, 32, 512, rows, Values::kExtreme});
  }
}

TEST_CASE("more rows than one cache chunk") {
  for (Format const format : {Format::kQ4_0, Format::kQ8_0, Format::kQ6_K}) check_case({format, 17, 14336, 55});
  check_case({Format::kF32, 17, 4096, 70});
}

TEST_CASE(
    "weights unpacked for many rows: several segments of columns, the last one short, more rows than pass at once") {
  for (FormatTraits const& t : kFormats) {
    if (!t.quantized) continue;
    check_case({t.format, 53, whole_blocks(t.format, 1056), 51});
    check_case({t.format, 32, whole_blocks(t.format, 544), 50});
    check_case({t.format, 48, whole_blocks(t.format, 544), 263});
    check_case({t.format, 32, 512, 48, Values::kExtreme});
  }
}

TEST_CASE("more panels than a few rows follow side by side") {
  for (FormatTraits const& t : kFormats) {
    for (std::size_t rows = 1; rows <= 8; ++rows) {
      check_case({t.format, 37 * 16 + 5, whole_blocks(t.format, 64), rows});
      check_case({t.format, 39 * 16 + 5, whole_blocks(t.format, 64), rows});  // padding beside three panels
      // More tiles of as many streams as there may be than wait for their sums (four rows: eight); padding at the end.
      if (rows < 4) check_case({t.format, 279 * 16 + 5, whole_blocks(t.format, 32), rows});
    }
  }
}

TEST_CASE("a panel and a few rows that do not fit the L1 cache together") {
  for (FormatTraits const& t : kFormats) {
    for (std::size_t const rows : {1u, 2u, 3u, 4u, 7u}) {
      check_case({t.format, 10 * 16 + 5, 4352, rows});
      check_case({t.format, 11 * 16 + 5, 4352, rows});
    }
  }
}

TEST_CASE("whole groups of rows give what they give among all") {
  std::mt19937 random(23);
  Serial serial;
  std::size_t const out = 32, cols = 256;
  auto const x = random_floats(15 * cols, Values::kNormal, random);
  for (FormatTraits const& t : kFormats) {
    auto const w =
        pack_matrix(t.format, random_rows(t.format, out, cols, Values::kNormal, random), out, cols, t.format, serial);
    for (KernelTable const* table : available_kernels()) {
      for (std::size_t const rows : {13u, 14u, 15u}) {
        MatrixView<float const> const view(x.data(), rows, cols);
        Quantized const q8(*table, view);
        Activations const all{view, q8.rows};
        auto const multiply = [&](std::size_t first, std::size_t n) {
          std::vector<float> y(n * out);
          table->matmul(w.view(), 0, 2, all.slice(first, n), {y.data(), n, out}, Epilogue::kStore);
          return y;
        };
        auto const whole = multiply(0, rows);
        struct Run {
          std::size_t first, n;
        };
        for (Run const run : {Run{0, 4}, Run{0, 12}, Run{4, 8}, Run{8, rows - 8}, Run{12, rows - 12}}) {
          auto const part = multiply(run.first, run.n);
          CHECK(std::memcmp(part.data(), &whole[run.first * out], part.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

TEST_CASE("a row's result does not depend on the rows beside it, nor on the view's stride") {
  std::mt19937 random(5);
  Serial serial;
  for (FormatTraits const& t : kFormats) {
    std::size_t const out = 32, cols = whole_blocks(t.format, 128), rows = 11, stride = cols + 5;
    auto const w =
        pack_matrix(t.format, random_rows(t.format, out, cols, Values::kNormal, random), out, cols, t.format, serial);
    auto const x = random_floats(rows * stride, Values::kNormal, random);
    MatrixView<float const> const view(x.data(), rows, cols, stride);
    for (KernelTable const* table : available_kernels()) {
      Quantized const q8(*table, view);
      std::vector<float> all(rows * (out + 3)), one(out);
      table->matmul(w.view(), 0, 2, {view, q8.rows}, MatrixView<float>(all.data(), rows, out, out + 3),
                    Epilogue::kStore);
      for (std::size_t r = 0; r < rows; ++r) {
        auto const alone = view.slice(r, 1);
        Quantized const alone_q8(*table, alone);
        table->matmul(w.view(), 0, 2, {alone, alone_q8.rows}, MatrixView<float>(one.data(), 1, out), Epilogue::kStore);
        CHECK(std::memcmp(one.data(), &all[r * (out + 3)], out * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("activations are quantized to the nearest level, ties to even") {
  std::size_t const rows = 5;  // a whole group, and one
  std::vector<float> x(rows * 64, 0.0F);
  x[0] = 127.0F;
  x[1] = 0.5F;
  x[2] = 1.5F;
  x[3] = -2.5F;
  x[4] = -126.6F;
  x[33] = -1e-38F;  // too small for a finite 127 / max
  for (std::size_t r = 1; r < rows; ++r) std::copy_n(x.begin(), 64, x.begin() + static_cast<std::ptrdiff_t>(r * 64));
  for (KernelTable const* table : available_kernels()) {
    INFO(table->name);
    Quantized const q8(*table, MatrixView<float const>(x.data(), rows, 64));
    for (std::size_t r = 0; r < rows; ++r) {
      QuantizedRows::Part const first = q8.rows.part(r, 0), second = q8.rows.part(r, 1);
      CHECK(*first.scale == 1.0F);
      CHECK(first.q(0) == 127);
      CHECK(first.q(1) == 0);
      CHECK(first.q(2) == 2);
      CHECK(first.q(3) == -2);
      CHECK(first.q(4) == -127);
      CHECK(*first.scaled_sum == 127 + 0 + 2 - 2 - 127);
      CHECK(*first.minus_8_sum == -8 * (127 + 0 + 2 - 2 - 127));
      CHECK(first.minus_32_sum[0] == -32 * (127 + 0 + 2 - 2 - 127));
      CHECK(first.minus_32_sum[first.rows] == 0);
      CHECK(*second.scale == 0.0F);
      CHECK(second.q(1) == 0);
      CHECK(*second.minus_8_sum == 0);
    }
  }
}

TEST_CASE("rows lie in groups of 4 and one of what is left, and every byte belongs to one place") {
  for (std::size_t rows = 1; rows <= 9; ++rows) {
    Quantized q8(rows, 64);
    std::size_t const taken = rows / 4 * 4;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t b = 0; b < 2; ++b) {
        QuantizedRows::Part const part = q8.rows.part(r, b);
        CHECK(part.rows == (r < taken ? 4u : rows - taken));
        for (std::size_t i = 0; i < 32; ++i) part.q(i) = static_cast<std::int8_t>(part.q(i) + 1);
        for (std::int32_t* p : {part.minus_8_sum, part.minus_32_sum, part.minus_32_sum + part.rows}) *p += 0x01010101;
        for (float* p : {part.scale, part.scaled_sum}) {
          CHECK(std::bit_cast<std::uint32_t>(*p) == 0);
          *p = std::bit_cast<float>(0x01010101);
        }
      }
    }
    CHECK(std::ranges::all_of(q8.bytes, [](std::byte b) { return b == std::byte{1}; }));
  }
}

TEST_CASE("every table quantizes activations as the reference does") {
  std::mt19937 random(11);
  std::size_t const rows = 37, cols = 352;
  auto x = random_floats(rows * cols, Values::kNormal, random);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= std::ldexp(1.0F, static_cast<int>(i / 32 % 250) - 140);
  x[3] = std::numeric_limits<float>::infinity();
  x[40] = -std::numeric_limits<float>::quiet_NaN();
  for (std::size_t const row : {5u, 6u, 7u, 36u}) {
    x[row * cols + 64] = std::numeric_limits<float>::infinity();
    x[row * cols + 100] = std::numeric_limits<float>::quiet_NaN();
    for (std::size_t i = 128; i < 160; ++i) x[row * cols + i] = 1e-42F;
  }
  x[70] = std::numeric_limits<float>::max();
  for (std::size_t const row : {20u, 21u, 22u, 23u}) {  // the greatest sums
    for (std::size_t i = 0; i < cols; ++i) x[row * cols + i] = row == 20 || (row == 22 && i % 2 == 0) ? 3.0F : -3.0F;
  }
  MatrixView<float const> const view(x.data(), rows, cols);
  Quantized const expected(reference_kernels(), view);
  CHECK(std::isnan(*expected.rows.part(0, 0).scale));
  CHECK(std::isnan(*expected.rows.part(0, 1).scale));
  for (KernelTable const* table : available_kernels()) {
    INFO(table->name);
    CHECK(Quantized(*table, view).bytes == expected.bytes);
    for (std::size_t const n : {1u, 3u, 7u, 16u}) {
      Quantized in_parts(rows, cols);
      for (std::size_t r = 0; r < rows; r += n) {
        for (std::size_t c = 0; c < cols; c += 64) {
          MatrixView<float const> const part(view.row(r).data() + c, std::min(n, rows - r),
                                             std::min<std::size_t>(64, cols - c), view.stride);
          table->quantize_rows(part, in_parts.rows, r, c);
        }
      }
      CHECK(in_parts.bytes == expected.bytes);
    }
  }
}

TEST_CASE("NaN among the activations reaches every output") {
  std::mt19937 random(13);
  Serial serial;
  for (FormatTraits const& t : kFormats) {
    std::size_t const cols = whole_blocks(t.format, 64);
    auto const w =
        pack_matrix(t.format, random_rows(t.format, 16, cols, Values::kNormal, random), 16, cols, t.format, serial);
    auto x = random_floats(cols, Values::kNormal, random);
    x[50] = std::numeric_limits<float>::quiet_NaN();
    MatrixView<float const> const view(x.data(), 1, cols);
    for (KernelTable const* table : available_kernels()) {
      Quantized const q8(*table, view);
      std::vector<float> y(16);
      table->matmul(w.view(), 0, 1, {view, q8.rows}, MatrixView<float>(y.data(), 1, 16), Epilogue::kStore);
      for (float const v : y) CHECK(std::isnan(v));
    }
  }
}

TEST_CASE("NaN in half precision, a weight or a scale, reaches its output and no other") {
  std::mt19937 random(19);
  Serial serial;
  for (Format const format : {Format::kF16, Format::kQ8_0, Format::kQ4_0}) {  // whose rows begin with two such bytes
    std::size_t const cols = 64, row = 3;
    auto stored = random_rows(format, 16, cols, Values::kNormal, random);
    std::uint16_t const nan = 0x7e00;
    std::memcpy(stored.data() + row * row_bytes(format, cols), &nan, sizeof nan);
    auto const w = pack_matrix(format, stored, 16, cols, format, serial);
    auto const x = random_floats(cols, Values::kNormal, random);
    MatrixView<float const> const view(x.data(), 1, cols);
    for (KernelTable const* table : available_kernels()) {
      CAPTURE(table->name);
      Quantized const q8(*table, view);
      std::vector<float> y(16);
      table->matmul(w.view(), 0, 1, {view, q8.rows}, MatrixView<float>(y.data(), 1, 16), Epilogue::kStore);
      for (std::size_t o = 0; o < 16; ++o) CHECK(std::isnan(y[o]) == (o == row));
    }
  }
}

TEST_CASE("the reference is the plain product, to a tolerance, and embeds rows exactly") {
  std::mt19937 random(17);
  Serial serial;
  for (FormatTraits const& t : kFormats) {
    std::size_t const out = 20, cols = whole_blocks(t.format, 64);
    auto const stored = random_rows(t.format, out, cols, Values::kNormal, random);
    auto const w = pack_matrix(t.format, stored, out, cols, t.format, serial);
    auto const x = random_floats(cols, Values::kNormal, random);
    MatrixView<float const> const view(x.data(), 1, cols);
    Quantized const q8(reference_kernels(), view);
    std::vector<float> y(out), row(cols);
    reference_kernels().matmul(w.view(), 0, 2, {view, q8.rows}, MatrixView<float>(y.data(), 1, out), Epilogue::kStore);
    for (std::size_t o = 0; o < out; ++o) {
      reference_kernels().embed(w.view(), o, row.data());
      visit_format(t.format, [&]<WeightFormat F>() {
        auto const* blocks = reinterpret_cast<typename F::Block const*>(stored.data()) + o * (cols / F::kBlock);
        float weights[F::kBlock];
        for (std::size_t k = 0; k < cols; ++k) {
          F::dequantize(blocks[k / F::kBlock], weights);
          CHECK(row[k] == weights[k % F::kBlock]);
        }
      });
      double sum = 0.0;
      for (std::size_t k = 0; k < cols; ++k) sum += static_cast<double>(row[k]) * static_cast<double>(x[k]);
      CHECK(static_cast<double>(y[o]) == doctest::Approx(sum).epsilon(0.02).scale(10.0));
      for (KernelTable const* table : available_kernels()) {
        std::vector<float> same(cols);
        table->embed(w.view(), o, same.data());
        CHECK(same == row);
      }
    }
  }
}
