// Things in a row, dealt to threads that are to end together: a share for each, and what is left of others' at the end.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "lamina/core/numeric.hpp"

namespace lamina::inline v0_1::detail {

/// n things cut into runs while threads take them. A share is taken from its front, one run after the other, so that
/// reading goes on where it was; once it is empty its thread takes from the backs of other shares. A run is a half, or
/// more, of what a thread of the share may expect: the first are long, since the reads that begin one wait for memory,
/// the last short, since cores that share memory with others are never equally fast. Any thread may take from any share
/// at any time; where there are many threads, several have one.
class SharedRuns {
 public:
  using Run = std::pair<std::size_t, std::size_t>;  // [first, last)

  /// Runs have at least `least` things and are multiples of `step`, but for the last that is taken of a share; each is
  /// all but one part in `parts` of what a thread may expect.
  /// Preconditions: n < 2^32, threads > 0, step > 0, parts > 1.
  SharedRuns(std::size_t n, std::size_t threads, std::size_t least, std::size_t step, std::size_t parts = 2) noexcept
      : n_shares_(std::min(threads, kMostShares)),
        threads_(div_ceil(threads, n_shares_)),
        parts_(parts),
        least_(std::max<std::size_t>(least, 1)),
        step_(step) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < n_shares_; ++i) {
      std::size_t const last = std::min(n, round_up(n * (i + 1) / n_shares_, step));
      left_[i].range.store(join(first, last), std::memory_order_relaxed);
      first = last;
    }
  }

  /// Thread i: calls body(first, last) for runs of its share, then of others, until nothing is left.
  template <class Body>
  void work(std::size_t i, Body const& body) noexcept {
    std::size_t const own = i % n_shares_;
    while (auto const run = take(own, true)) body(run->first, run->second);
    for (std::size_t j = 1; j < n_shares_; ++j) {
      while (auto const run = take((own + j) % n_shares_, false)) body(run->first, run->second);
    }
  }

 private:
  static constexpr std::size_t kMostShares = 16;

  struct alignas(64) Share {  // a cache line each
    std::atomic<std::uint64_t> range{0};
  };
  static constexpr std::uint64_t join(std::size_t first, std::size_t last) noexcept {
    return std::uint64_t{first} << 32 | last;
  }

  /// The next run of a share, or nothing where it is empty.
  std::optional<Run> take(std::size_t share, bool from_front) noexcept {
    std::atomic<std::uint64_t>& range = left_[share].range;
    std::uint64_t seen = range.load(std::memory_order_relaxed);
    for (;;) {
      std::size_t const first = seen >> 32;
      std::size_t const last = seen & UINT32_MAX;
      if (first == last) return std::nullopt;
      std::size_t const left = last - first;
      std::size_t length = round_up(std::max(least_, left * (parts_ - 1) / (parts_ * threads_)), step_);
      if (left < length + least_ / 2) length = left;
      std::uint64_t const rest = from_front ? join(first + length, last) : join(first, last - length);
      // Relaxed: the executor orders what tasks write, and a run belongs to whoever took it.
      if (range.compare_exchange_weak(seen, rest, std::memory_order_relaxed)) {
        return from_front ? Run{first, first + length} : Run{last - length, last};
      }
    }
  }

  std::array<Share, kMostShares> left_;
  std::size_t n_shares_;
  std::size_t threads_;  // of a share
  std::size_t parts_;
  std::size_t least_, step_;
};

}  // namespace lamina::inline v0_1::detail
