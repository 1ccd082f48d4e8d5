// Packing at load: a matrix as stored, in memory that no cache holds, becomes panels in memory that is new each time.
// GB/s are the stored bytes; the panels, and the zeroing of new pages by the system, come on top.
#include <cstddef>
#include <string>
#include <vector>

#include "bench/kernels/suite.hpp"
#include "bench/random_weights.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::bench {
namespace {

void time_packing(benchmark::State& state, Format format, ThreadPool& pool) {
  std::size_t const rows = kColdBytes / row_bytes(format, kDim);
  std::vector<std::byte> stored(rows * row_bytes(format, kDim));
  RandomWeights(format, 0.0F, 0.02F, 1).next(stored);
  double const seconds = seconds_per_call(state, [&] {
    PackedMatrix const packed = pack_matrix(format, stored, rows, kDim, format, pool);
    benchmark::DoNotOptimize(packed.view().data);
  });
  state.counters["GB/s"] = static_cast<double>(stored.size()) / 1e9 / seconds;
}

}  // namespace

void add_packing_benchmarks(Suite& suite) {
  for (FormatTraits const& format : kFormats) {
    for (std::size_t const n : thread_counts()) {
      add("pack/" + std::string(format.name) + part("threads:", n),
          [&suite, format, n](benchmark::State& state) { time_packing(state, format.format, suite.pool(n)); });
    }
  }
}

}  // namespace lamina::bench
