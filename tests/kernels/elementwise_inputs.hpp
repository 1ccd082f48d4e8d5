// What the tests of the elementwise kernels share: reproducible numbers, comparison of bits, fingerprints.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lamina/kernels/dispatch.hpp"

namespace lamina::test {

/// Numbers that are the same with every standard library (distributions of <random> are not). xorshift64*.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}

  std::uint64_t bits() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 2685821657736338717u;
  }
  float uniform(float low, float high) {
    // The product is exact in double, so that it makes no difference where a compiler contracts it into an FMA.
    double const unit = static_cast<double>(bits() >> 40) * 0x1p-24;
    return static_cast<float>(static_cast<double>(low) + static_cast<double>(high - low) * unit);
  }
  std::size_t below(std::size_t n) { return bits() % n; }

  std::vector<float> floats(std::size_t n, float low = -1.0F, float high = 1.0F) {
    std::vector<float> v(n);
    for (float& x : v) x = uniform(low, high);
    return v;
  }

 private:
  std::uint64_t state_;
};

/// Equal bits; any NaN equals any other.
inline bool same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// Where `got` first differs from `want`, as text; empty where it does not. Kernels that are not bit exact may be off
/// by `tolerance`, relative to the greater of 1 and |want|.
inline std::string difference(KernelTable const& table, std::span<float const> got, std::span<float const> want,
                              float tolerance = 1e-5F) {
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (same(got[i], want[i])) continue;
    if (!table.bit_exact && std::fabs(got[i] - want[i]) <= tolerance * std::fmax(1.0F, std::fabs(want[i]))) continue;
    return std::string(table.name) + ": [" + std::to_string(i) + "] is " + std::to_string(got[i]) + ", not " +
           std::to_string(want[i]);
  }
  return {};
}

/// FNV-1a of the bits. Recorded on x86-64, so that other architectures are held to the same bits.
inline std::uint64_t fingerprint(std::span<float const> values) {
  std::uint64_t hash = 14695981039346656037u;
  for (float const v : values) {
    for (std::uint32_t bits = std::bit_cast<std::uint32_t>(v), i = 0; i < 4; ++i, bits >>= 8) {
      hash = (hash ^ (bits & 0xffu)) * 1099511628211u;
    }
  }
  return hash;
}

}  // namespace lamina::test
