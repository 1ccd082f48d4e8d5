// Random weights in any format, as the bytes of a file: the blocks are drawn directly, so that gigabytes take seconds.
//
// A weight matrix gets zero-mean values with a chosen standard deviation. Quantized blocks have uniform quants and
// scales that vary by a quarter around the one that gives that deviation, k-quants any scales within a superblock. The
// values that Q4_0's and Q8_0's quantizers never write (nibble 0 beside a full range of 15, int8 -128) do not occur.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/quant/formats.hpp"

namespace lamina::bench {

/// splitmix64 (Steele, Lea & Flood, 2014): one word of state, any seed is good, some 5 GB/s.
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

/// An endless stream of one tensor's bytes, the same for the same seed.
class RandomWeights {
 public:
  /// Values around `mean` with standard deviation `deviation`. Quantized formats have no mean: it must be 0 there.
  /// Throws Error{kUnsupported} for a format that it does not know.
  RandomWeights(Format format, float mean, float deviation, std::uint64_t seed) : format_(format), random_(seed) {
    switch (format) {
      case Format::kF32:
        mean_ = mean;
        unit_ = deviation * kUniformRange / 0x1p31F;
        break;
      case Format::kF16:
      case Format::kBF16: fill_values(mean, deviation); break;
      case Format::kQ4_0: fill_scales(deviation / std::sqrt(17.5F)); break;  // nibbles: 2 (1 + 4 + .. + 49) / 16
      case Format::kQ8_0:
        fill_scales(deviation / std::sqrt(127.0F * 128 / 3));
        break;  // about uniform on -127 .. 127
      // q uniform on 0 .. 15 and a group's scale on 0 .. 63, the min 7.5 times as large: w = d * scale * (q - 7.5)
      case Format::kQ4_K: fill_scales(deviation / std::sqrt((256.0F - 1) / 12 * 63 * 127 / 6)); break;
      // q - 32 uniform on -32 .. 31, scales on -128 .. 127
      case Format::kQ6_K: fill_scales(deviation / std::sqrt((4096.0F - 1) / 12 * (65536.0F - 1) / 12)); break;
      default: fail(Errc::kUnsupported, "random weights: format number ", static_cast<std::uint32_t>(format));
    }
  }

  /// Fills out with the next bytes. Precondition: out is a whole number of blocks.
  void next(std::span<std::byte> out) {
    switch (format_) {
      case Format::kF32: return fill<4>(out, [this] { return mean_ + unit_ * static_cast<float>(next_int32()); });
      case Format::kF16:
      case Format::kBF16: return fill<2>(out, [this] { return values_[next_uint16()]; });
      case Format::kQ4_0: return fill<18>(out, [this] { return next_block<16>(without_zero_nibbles); });
      case Format::kQ8_0: return fill<34>(out, [this] { return next_block<32>(without_minus_128); });
      case Format::kQ4_K: return fill<sizeof(quant::Q4_K::Block)>(out, [this] { return next_q4_k(); });
      case Format::kQ6_K: return fill<sizeof(quant::Q6_K::Block)>(out, [this] { return next_q6_k(); });
    }
  }

 private:
  static constexpr float kUniformRange = 1.7320508F;  // uniform on [-sqrt 3, sqrt 3] has deviation 1

  /// A scale and kBytes of quants.
  template <std::size_t kBytes>
  struct Block {
    std::uint16_t scale;
    std::array<std::uint16_t, kBytes / 2> quants;
  };

  template <std::size_t kBytes, class Next>
  static void fill(std::span<std::byte> out, Next next) {
    for (std::size_t at = 0; at + kBytes <= out.size(); at += kBytes) {
      auto const value = next();
      static_assert(sizeof value == kBytes);
      std::memcpy(out.data() + at, &value, kBytes);
    }
  }

  template <std::size_t kBytes, class Clean>
  Block<kBytes> next_block(Clean clean) {
    Block<kBytes> block;
    block.scale = values_[random_() >> 56];
    for (std::size_t i = 0; i < kBytes / 8; ++i) {
      std::uint64_t const word = clean(random_());
      std::memcpy(block.quants.data() + 4 * i, &word, 8);
    }
    return block;
  }

  void draw(std::span<std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      std::uint64_t const word = random_();
      std::memcpy(bytes.data() + at, &word, std::min<std::size_t>(8, bytes.size() - at));
    }
  }

  quant::Q4_K::Block next_q4_k() {
    quant::Q4_K::Block block;
    draw(std::as_writable_bytes(std::span(block.q)));
    std::array<quant::KScale, quant::Q4_K::kGroups> scales;
    std::uint64_t word = random_();
    for (quant::KScale& s : scales) {
      s.scale = s.min = static_cast<std::uint8_t>(word & 63);
      word >>= 6;
    }
    quant::set_k_scales(scales, block.scales);
    float const d = to_float(Half{values_[word & 255]});
    block.d = to_half(d);
    block.dmin = to_half(7.5F * d);
    return block;
  }

  quant::Q6_K::Block next_q6_k() {
    quant::Q6_K::Block block;
    draw(std::as_writable_bytes(std::span(&block, 1)));
    block.d = Half{values_[random_() >> 56]};
    return block;
  }

  /// Zero nibbles (-8) become 8 (0), which leaves 1 .. 15, symmetric about 8.
  static std::uint64_t without_zero_nibbles(std::uint64_t word) noexcept {
    std::uint64_t const any = word | word >> 1 | word >> 2 | word >> 3;
    return word | (~any & 0x1111111111111111u) << 3;
  }

  /// Bytes of 0x80 (-128) become 0x00. The borrow-free test for zero bytes is applied to the word xor 0x80.
  static std::uint64_t without_minus_128(std::uint64_t word) noexcept {
    constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7fu;
    std::uint64_t const x = word ^ ~kLow;
    std::uint64_t const is_zero = ~(((x & kLow) + kLow) | x | kLow);  // bit 7 of each such byte
    return word ^ is_zero;
  }

  std::int32_t next_int32() { return static_cast<std::int32_t>(next_bits<32>()); }
  std::uint16_t next_uint16() { return static_cast<std::uint16_t>(next_bits<16>()); }

  template <int kBits>
  std::uint64_t next_bits() {
    if (left_ == 0) {
      word_ = random_();
      left_ = 64;
    }
    std::uint64_t const bits = word_ & ((std::uint64_t{1} << kBits) - 1);
    word_ >>= kBits;
    left_ -= kBits;
    return bits;
  }

  [[nodiscard]] std::uint16_t to_bits(float value) const noexcept {
    return format_ == Format::kBF16 ? to_bfloat16(value).bits : to_half(value).bits;
  }

  void fill_values(float mean, float deviation) {
    values_.resize(std::size_t{1} << 16);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      float const uniform = (static_cast<float>(i) + 0.5F) / 32768.0F - 1.0F;
      values_[i] = to_bits(mean + deviation * kUniformRange * uniform);
    }
  }

  void fill_scales(float scale) {
    values_.resize(256);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = to_bits(scale * (0.75F + static_cast<float>(i) / 510.0F));
    }
  }

  Format format_;
  SplitMix random_;
  float mean_ = 0;
  float unit_ = 0;
  std::vector<std::uint16_t> values_;  // 16-bit floats to draw from: by 16 random bits, or, for scales, by 8
  std::uint64_t word_ = 0;
  int left_ = 0;
};

}  // namespace lamina::bench
