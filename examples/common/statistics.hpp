// The figures that a run ends with: times, rates, and the share of the machine's read bandwidth that decoding used.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

#include "engine_options.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/decode/options.hpp"

namespace examples {

/// Bytes per second that `threads` threads read from memory: the best of three passes over 128 MiB, which takes about
/// 50 ms. A brief estimate; bench/ measures with care.
inline double measure_read_bandwidth(std::size_t threads) {
  constexpr std::size_t kWords = std::size_t{128} << 17;  // 128 MiB; no less than four times most last-level caches
  lamina::AlignedBuffer<std::uint64_t> buffer(kWords);
  std::ranges::fill(buffer.span(), 1);  // memory that nobody wrote is one page of zeros, which lies in the cache
  lamina::ThreadPool pool(threads);
  std::size_t const parts = 4 * threads;
  std::vector<std::uint64_t> sums(parts);
  double best = 0.0;
  for (int pass = 0; pass < 3; ++pass) {
    auto const start = std::chrono::steady_clock::now();
    pool.run(parts, [&](std::size_t i) {
      auto const part = buffer.span().subspan(kWords / parts * i, kWords / parts);
      std::uint64_t sum[8] = {};  // independent chains, which the compiler turns into vector additions
      for (std::size_t j = 0; j + 8 <= part.size(); j += 8) {
        for (std::size_t lane = 0; lane < 8; ++lane) sum[lane] += part[j + lane];
      }
      sums[i] += std::accumulate(std::begin(sum), std::end(sum), std::uint64_t{0});
    });
    best = std::max(best, static_cast<double>(kWords * sizeof(std::uint64_t)) / seconds_since(start));
  }
  // Using the sum keeps the reads.
  return std::accumulate(sums.begin(), sums.end(), std::uint64_t{0}) != 0 ? best : 0.0;
}

/// One line a figure, on stderr. `bytes_per_token`: weights that one step reads.
inline void print_statistics(lamina::GenerationStatistics const& s, double load_seconds, std::size_t bytes_per_token,
                             std::size_t threads) {
  std::fprintf(stderr, "load time:           %.1f ms\n", 1e3 * load_seconds);
  std::fprintf(stderr, "prompt tokens:       %zu\n", s.prompt_tokens);
  std::fprintf(stderr, "time to first token: %.2f ms\n", 1e3 * s.first_token_seconds);
  std::fprintf(stderr, "prefill:             %.1f tokens/s\n", s.prefill_rate());
  if (s.steps == 0) {  // the first token comes with the prompt's evaluation
    std::fprintf(stderr, "decode:              no step (%zu tokens generated)\n", s.generated_tokens);
    return;
  }
  std::fprintf(stderr, "decode:              %.1f tokens/s (%zu tokens generated)\n", s.decode_rate(),
               s.generated_tokens);
  double const rate = s.decode_rate() * static_cast<double>(bytes_per_token);
  double const limit = measure_read_bandwidth(threads);
  // Above 100 %: a small model stays in the caches.
  std::fprintf(stderr, "weights read:        %.2f GB/s (%.2f MB per token), %.0f %% of the memory's %.1f GB/s\n",
               1e-9 * rate, 1e-6 * static_cast<double>(bytes_per_token), 100.0 * rate / limit, 1e-9 * limit);
}

}  // namespace examples
