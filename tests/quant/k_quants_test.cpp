// K-quants: ggml's layout of bits, dequantization by its formulas, and its reference quantizers' bytes.
#include "lamina/quant/k_quants.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>

#include "lamina/quant/formats.hpp"

#include "doctest/doctest.h"

using namespace lamina;

namespace {

using Superblock = std::array<float, 256>;

/// Weights of many kinds, from integers alone, so that every platform has the same: bell-shaped, positive, sparse, with
/// steps, with groups of very different size, all equal.
Superblock weights_of(unsigned index, float scale) {
  std::mt19937 random(index);
  auto const uniform = [&] { return static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0F; };
  auto const bell = [&] { return uniform() + uniform() + uniform() + uniform(); };
  Superblock w;
  for (std::size_t i = 0; i < w.size(); ++i) {
    switch (index % 8) {
      case 0:
      case 1: w[i] = bell(); break;
      case 2: w[i] = std::abs(bell()); break;
      case 3: w[i] = random() % 5 == 0 ? bell() : 0.0F; break;
      case 4: w[i] = static_cast<float>(random() % 31) / 8.0F - 1.0F; break;
      case 5: w[i] = i / 32 == index / 8 % 8 ? 100.0F * bell() : 1e-4F * bell(); break;
      case 6: w[i] = i / 16 % 3 == 0 ? -std::abs(bell()) : i / 16 % 3 == 1 ? 0.5F : bell(); break;
      default: w[i] = index % 16 == 7 ? 0.0F : -3.0F;
    }
    w[i] *= scale;
  }
  return w;
}

template <class F>
std::uint64_t fingerprint_of_quantized() {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (unsigned index = 0; index < 2000; ++index) {
    // Down to where binary16 factors are subnormal.
    Superblock const w = weights_of(index, std::ldexp(1.0F, static_cast<int>(index * 7 % 24) - 18));
    typename F::Block block;
    F::quantize(w.data(), block);
    std::uint8_t bytes[sizeof block];
    std::memcpy(bytes, &block, sizeof block);
    for (std::uint8_t const byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  }
  return hash;
}

/// The root mean square of quantize-and-back's error on bell-shaped weights, as a share of the weights'.
template <class F>
double error_share() {
  double error = 0.0, size = 0.0;
  for (unsigned index = 0; index < 400; index += 8) {
    Superblock const w = weights_of(index, 1.0F);
    Superblock back;
    typename F::Block block;
    F::quantize(w.data(), block);
    F::dequantize(block, back.data());
    for (std::size_t i = 0; i < w.size(); ++i) {
      error += std::pow(static_cast<double>(w[i] - back[i]), 2);
      size += std::pow(static_cast<double>(w[i]), 2);
    }
  }
  return std::sqrt(error / size);
}

}  // namespace

TEST_CASE("six-bit scales and mins lie in 12 bytes as ggml has them") {
  std::array<quant::KScale, 8> scales;
  for (unsigned g = 0; g < 8; ++g) {
    scales[g] = {static_cast<std::uint8_t>(7 * g + 9), static_cast<std::uint8_t>(63 - 5 * g)};
  }
  std::uint8_t bytes[12];
  quant::set_k_scales(scales, bytes);
  CHECK(bytes[0] == (9 | (37 >> 4) << 6));           // scale 0, and above it the high bits of scale 4
  CHECK(bytes[5] == (58 | (38 >> 4) << 6));          // min 1, and above it the high bits of min 5
  CHECK(bytes[11] == ((58 & 15) | (28 & 15) << 4));  // scale 7 and min 7, low bits
  for (std::size_t g = 0; g < 8; ++g) {
    CHECK(quant::k_scale(bytes, g).scale == scales[g].scale);
    CHECK(quant::k_scale(bytes, g).min == scales[g].min);
  }
}

TEST_CASE("Q4_K dequantizes d * scale * q - dmin * min, two groups in the halves of 32 bytes") {
  quant::Q4_K::Block block{};
  block.d = to_half(0.5F);
  block.dmin = to_half(0.25F);
  std::array<quant::KScale, 8> scales;
  for (unsigned g = 0; g < 8; ++g) {
    scales[g] = {static_cast<std::uint8_t>(g + 1), static_cast<std::uint8_t>(2 * g)};
  }
  quant::set_k_scales(scales, block.scales);
  for (unsigned i = 0; i < 128; ++i) block.q[i] = static_cast<std::uint8_t>(i % 16 | (i / 8 % 16) << 4);
  Superblock w;
  quant::Q4_K::dequantize(block, w.data());
  for (unsigned i = 0; i < 256; ++i) {
    unsigned const at = i / 64 * 32 + i % 32;
    unsigned const q = i % 64 < 32 ? at % 16 : at / 8 % 16;
    unsigned const g = i / 32;
    CHECK(w[i] == 0.5F * static_cast<float>((g + 1) * q) - 0.25F * static_cast<float>(2 * g));
  }
}

TEST_CASE("Q6_K dequantizes d * scale * (q - 32), four runs of 32 weights in each 128") {
  quant::Q6_K::Block block{};
  block.d = to_half(0.125F);
  for (unsigned g = 0; g < 16; ++g) block.scale[g] = static_cast<std::int8_t>(static_cast<int>(g) - 8);
  // Weight 128 p + 32 h + i.
  auto const q = [](unsigned p, unsigned h, unsigned i) { return (17 * p + 29 * h + 3 * i) % 64; };
  for (unsigned p = 0; p < 2; ++p) {
    for (unsigned i = 0; i < 32; ++i) {
      for (unsigned h = 0; h < 4; ++h) {
        auto& low = block.low[64 * p + 32 * (h % 2) + i];
        low = static_cast<std::uint8_t>(low | (q(p, h, i) & 15) << (h / 2 * 4));
        auto& high = block.high[32 * p + i];
        high = static_cast<std::uint8_t>(high | q(p, h, i) >> 4 << (2 * h));
      }
    }
  }
  Superblock w;
  quant::Q6_K::dequantize(block, w.data());
  for (unsigned i = 0; i < 256; ++i) {
    int const level = static_cast<int>(q(i / 128, i % 128 / 32, i % 32)) - 32;
    CHECK(w[i] == 0.125F * static_cast<float>((static_cast<int>(i / 16) - 8) * level));
  }
}

TEST_CASE("quantizers give the bytes of ggml's reference") {
  // Recorded where quantize_row_q4_K_ref and quantize_row_q6_K_ref of ggml gave the same bytes for all 2,000
  // superblocks.
  CHECK(fingerprint_of_quantized<quant::Q4_K>() == 0xc63205ecb87f60db);
  CHECK(fingerprint_of_quantized<quant::Q6_K>() == 0x1f2b51d779d09db3);
}

TEST_CASE("quantizing loses what the bits allow, and no more") {
  CHECK(error_share<quant::Q4_K>() < 0.07);
  CHECK(error_share<quant::Q6_K>() < 0.018);
}

TEST_CASE("quantizers survive zeros, subnormals, infinities and NaN") {
  for (float const odd : {0.0F, -0.0F, 1e-40F, 65536.0F, 3e38F, -3e38F, std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    for (bool const all : {false, true}) {
      Superblock w;
      w.fill(all ? odd : 0.25F);
      w[77] = odd;
      quant::Q4_K::Block four;
      quant::Q4_K::quantize(w.data(), four);
      quant::Q6_K::Block six;
      quant::Q6_K::quantize(w.data(), six);
    }
  }
  Superblock const zeros{};
  Superblock back;
  quant::Q4_K::Block four;
  quant::Q4_K::quantize(zeros.data(), four);
  quant::Q4_K::dequantize(four, back.data());
  CHECK(back == zeros);
  quant::Q6_K::Block six;
  quant::Q6_K::quantize(zeros.data(), six);
  quant::Q6_K::dequantize(six, back.data());
  CHECK(back == zeros);
}
