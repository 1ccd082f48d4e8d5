// The random numbers behind draw(): small, copyable, and the same on every platform.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace lamina::inline v0_1 {

/// xoshiro256** (Blackman & Vigna, 2018, "Scrambled Linear Pseudorandom Number Generators"), seeded through SplitMix64
/// (Steele et al., 2014), as its authors advise. 32 bytes of state, period 2^256 - 1.
class Xoshiro256 {
 public:
  using result_type = std::uint64_t;

  explicit constexpr Xoshiro256(std::uint64_t seed) noexcept {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      word = z ^ (z >> 31);
    }
  }

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return ~result_type{0}; }

  constexpr result_type operator()() noexcept {
    std::uint64_t const result = std::rotl(state_[1] * 5, 7) * 9;
    std::uint64_t const shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// An integer in [0, n), n >= 1, from one number of the generator: the upper half of its product with n. The chance
  /// of any range of results is off by 2^-64 at most.
  constexpr std::uint64_t below(std::uint64_t n) noexcept { return high_product((*this)(), n); }

  friend constexpr bool operator==(Xoshiro256 const&, Xoshiro256 const&) noexcept = default;

 private:
  static constexpr std::uint64_t high_product(std::uint64_t a, std::uint64_t b) noexcept {
    std::uint64_t const a_low = a & 0xffffffffu;
    std::uint64_t const b_low = b & 0xffffffffu;
    std::uint64_t const middle = (a >> 32) * b_low + ((a_low * b_low) >> 32);
    return (a >> 32) * (b >> 32) + (middle >> 32) + ((a_low * (b >> 32) + (middle & 0xffffffffu)) >> 32);
  }

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace lamina::inline v0_1
