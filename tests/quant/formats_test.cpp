// Weight formats: GGUF's block bytes, exact conversions, and the reference quantizers' rounding.
#include "lamina/quant/formats.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "lamina/quant/quantizer.hpp"

#include "doctest/doctest.h"

using namespace lamina;

TEST_CASE("names and traits") {
  CHECK(traits(Format::kQ4_0).name == "Q4_0");
  CHECK(traits(Format::kQ4_0).block == 32);
  CHECK(traits(Format::kQ4_0).block_bytes == 18);
  CHECK(traits(Format::kQ8_0).block_bytes == 34);
  CHECK(traits(Format::kBF16).block_bytes == 2);
  CHECK(traits(Format::kF32).panel_block_bytes == 64);
  for (FormatTraits const& t : kFormats) {
    CHECK(traits(t.format).name == t.name);
    CHECK(format_named(t.name) == t.format);
    CHECK(format_of(static_cast<std::uint32_t>(t.format)) == t.format);
    // Packed bytes are stored bytes, but for scales and mins of 6 bits, which take 8.
    CHECK(t.panel_block_bytes == kPanelRows * (t.block_bytes + (t.format == Format::kQ4_K ? 4 : 0)));
  }
  CHECK(format_named("q4_0") == Format::kQ4_0);
  CHECK(format_named("bf16") == Format::kBF16);
  CHECK(!format_of(3));
  CHECK_THROWS_WITH_AS(format_named("q9"),
                       "weight format 'q9' is not known; there are: F32, F16, BF16, Q8_0, Q4_0, Q6_K, "
                       "Q4_K",
                       Error);
  CHECK(row_bytes(Format::kQ8_0, 64) == 68);
}

TEST_CASE("quantizers choose a format whose block divides the row") {
  CHECK(quant::AsStored::choose(Format::kF16, 7, 33) == Format::kF16);
  CHECK(quant::Q4_0::choose(Format::kF16, 7, 64) == Format::kQ4_0);
  CHECK(quant::Q4_0::choose(Format::kF16, 7, 33) == Format::kF16);
  CHECK(quant::F32::choose(Format::kF16, 7, 33) == Format::kF32);
  CHECK(quant::choose(Format::kQ8_0, Format::kBF16, 48) == Format::kBF16);
  CHECK(quant::choose(Format::kQ8_0, Format::kBF16, 96) == Format::kQ8_0);
}

TEST_CASE("Q4_0 dequantizes GGUF's nibble order") {
  quant::Q4_0::Block block{};
  block.d = to_half(0.5F);
  for (unsigned i = 0; i < 16; ++i) block.q[i] = static_cast<std::uint8_t>(i | (15 - i) << 4);
  std::array<float, 32> w{};
  quant::Q4_0::dequantize(block, w.data());
  for (int i = 0; i < 16; ++i) {
    CHECK(w[static_cast<std::size_t>(i)] == 0.5F * static_cast<float>(i - 8));
    CHECK(w[static_cast<std::size_t>(i) + 16] == 0.5F * static_cast<float>(7 - i));
  }
}

TEST_CASE("Q4_0 quantizes as ggml's reference does") {
  // The weight of largest magnitude, here -4 at place 3, becomes level 0: d = -4 / -8 = 0.5.
  std::array<float, 32> w{};
  w[3] = -4.0F;
  w[0] = 0.25F;   // 0.5 + 8.5 = 9: level 9
  w[1] = 0.2F;    // 8.9: level 8
  w[2] = -0.25F;  // 8.0: level 8
  w[4] = -0.3F;   // 7.9: level 7
  w[20] = 3.9F;   // 16.3: level 15
  w[31] = 4.0F;   // the same magnitude, later: level 15 by the limit
  quant::Q4_0::Block block;
  quant::Q4_0::quantize(w.data(), block);
  CHECK(to_float(block.d) == 0.5F);
  auto const level = [&](std::size_t i) { return i < 16 ? block.q[i] & 15 : block.q[i - 16] >> 4; };
  CHECK(level(3) == 0);
  CHECK(level(0) == 9);
  CHECK(level(1) == 8);
  CHECK(level(2) == 8);
  CHECK(level(4) == 7);
  CHECK(level(20) == 15);
  CHECK(level(31) == 15);
  CHECK(level(5) == 8);
}

TEST_CASE("Q8_0 quantizes as ggml's reference does") {
  std::array<float, 32> w{};
  w[0] = 127.0F;
  w[1] = 0.5F;   // halves away from zero: 1
  w[2] = -0.5F;  // -1
  w[3] = 1.49F;
  w[4] = -126.5F;
  quant::Q8_0::Block block;
  quant::Q8_0::quantize(w.data(), block);
  CHECK(to_float(block.d) == 1.0F);
  CHECK(block.q[0] == 127);
  CHECK(block.q[1] == 1);
  CHECK(block.q[2] == -1);
  CHECK(block.q[3] == 1);
  CHECK(block.q[4] == -127);
  CHECK(block.q[5] == 0);
}

TEST_CASE("quantizing what was dequantized changes nothing") {
  // Holds where the largest magnitude is -8 levels (Q4_0) or 127 levels (Q8_0), as quantizers leave them, and the
  // scale is exact in binary16.
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    float const d = std::ldexp(1.0F, static_cast<int>(random() % 20) - 10);
    quant::Q4_0::Block four{};
    four.d = to_half(d);
    for (auto& q : four.q) q = static_cast<std::uint8_t>(random());
    four.q[random() % 16] &= 0xf0;  // one level 0
    std::array<float, 32> w{};
    quant::Q4_0::dequantize(four, w.data());
    quant::Q4_0::Block again;
    quant::Q4_0::quantize(w.data(), again);
    CHECK(std::memcmp(&four, &again, sizeof four) == 0);

    quant::Q8_0::Block eight{};
    eight.d = to_half(d);
    for (auto& q : eight.q) q = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
    eight.q[random() % 32] = 127;
    quant::Q8_0::dequantize(eight, w.data());
    quant::Q8_0::Block eight_again;
    quant::Q8_0::quantize(w.data(), eight_again);
    CHECK(std::memcmp(&eight, &eight_again, sizeof eight) == 0);
  }
}

TEST_CASE("quantizers survive zeros, subnormals, infinities and NaN") {
  for (float const odd : {0.0F, -0.0F, 1e-40F, 65536.0F, 3e38F, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    std::array<float, 32> w{};
    w.fill(0.25F);
    w[7] = odd;
    quant::Q4_0::Block four;
    quant::Q4_0::quantize(w.data(), four);
    quant::Q8_0::Block eight;
    quant::Q8_0::quantize(w.data(), eight);
    w.fill(odd);
    quant::Q4_0::quantize(w.data(), four);
    quant::Q8_0::quantize(w.data(), eight);
  }
  std::array<float, 32> zeros{};
  quant::Q4_0::Block block;
  quant::Q4_0::quantize(zeros.data(), block);
  CHECK(to_float(block.d) == 0.0F);
  for (auto const q : block.q) CHECK(q == 0x88);
}
