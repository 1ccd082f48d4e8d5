// What the kernel benchmarks share: limits, threads, random data, and the counters that relate a time to the limits.
//
// Names read kernel/target/format or element/shape/rows/threads, so that a filter picks any cut:
//   kernels --benchmark_filter='matmul/avx2/Q4_0/8192x2048/rows:8/threads:1/'
// Counters: GB/s of memory that the kernel must read (elementwise kernels: read and write), Gop/s (two per
// multiply-add), share_bw of the read bandwidth and share_peak of the target's integer or float peak, both measured by
// this program for as many threads; and where the machine has hardware counters, cycles and instructions of a call, all
// threads together.
#pragma once

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/kernels/hardware_counters.hpp"
#include "bench/machine.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/kernels/kernel_table.hpp"

namespace lamina::bench {

/// Buffers that should come from memory and not from a cache are repeated up to this size, and used in turn.
inline constexpr std::size_t kColdBytes = std::size_t{256} << 20;

/// Shapes of Llama 3.2 1B, which all sizes below are taken from.
inline constexpr std::size_t kDim = 2048;
inline constexpr std::size_t kFfnDim = 8192;
inline constexpr std::size_t kHeads = 32;
inline constexpr std::size_t kKvHeads = 8;
inline constexpr std::size_t kHeadDim = 64;
inline constexpr std::size_t kVocab = 128256;

/// Tokens whose activations a kernel takes at once: decoding, small batches and speculation, prefill.
inline constexpr std::array<std::size_t, 6> kRows{1, 2, 4, 8, 32, 512};

/// What one iteration reads and computes.
struct Work {
  double bytes = 0;
  double integer_ops = 0;
  double float_ops = 0;
};

/// To be called before any thread is started that should be counted.
inline HardwareCounters const& hardware_counters() {
  static HardwareCounters const kCounters;
  return kCounters;
}

/// Runs the benchmark's iterations, counts included. By its own clock, since Google Benchmark tells no time to the code
/// it times.
template <class Body>
double seconds_per_call(benchmark::State& state, Body&& body) {
  auto const counts_before = hardware_counters().read();
  auto const begin = std::chrono::steady_clock::now();
  for (auto _ : state) {
    body();
    benchmark::ClobberMemory();
  }
  std::chrono::duration<double> const elapsed = std::chrono::steady_clock::now() - begin;
  auto const calls = static_cast<double>(state.iterations());
  if (auto const counts = hardware_counters().read(); counts && counts_before) {
    state.counters["cycles"] = (counts->cycles - counts_before->cycles) / calls;
    state.counters["instructions"] = (counts->instructions - counts_before->instructions) / calls;
  }
  return elapsed.count() / calls;
}

/// Limits and thread pools, kept from one benchmark to the next.
class Suite {
 public:
  Limits limits;

  ThreadPool& pool(std::size_t n_threads) {
    auto& pool = pools_[n_threads];
    if (!pool) pool = std::make_unique<ThreadPool>(n_threads);
    return *pool;
  }

  /// Times `body()` and sets the counters from `work`, which one call does with n_threads threads.
  template <class Body>
  void time(benchmark::State& state, Work const& work, Target target, std::size_t n_threads, Body&& body) {
    double const calls_per_second = 1.0 / seconds_per_call(state, body);
    auto const share = [&](char const* name, double amount, double limit) {
      if (amount > 0 && limit > 0) state.counters[name] = amount * calls_per_second / limit;
    };
    share("GB/s", work.bytes, 1e9);
    share("Gop/s", work.integer_ops + work.float_ops, 1e9);
    share("share_bw", work.bytes, limits.read_bandwidth(n_threads));
    if (work.integer_ops > 0) share("share_peak", work.integer_ops, limits.integer_peak(target, n_threads));
    if (work.float_ops > 0) share("share_peak", work.float_ops, limits.float_peak(target, n_threads));
  }

 private:
  std::map<std::size_t, std::unique_ptr<ThreadPool>> pools_;
};

/// One thread, and all of the machine.
std::vector<std::size_t> thread_counts();

/// Standard normal numbers, the same each time.
inline std::vector<float> random_floats(std::size_t n) {
  std::minstd_rand random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

/// Registers a benchmark that runs `body(state)` and is timed by the clock on the wall.
template <class Body>
void add(std::string const& name, Body body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))->UseRealTime();
}

/// A part of a name: part("rows:", 8) is "/rows:8".
inline std::string part(std::string_view label, std::size_t n) {
  std::string text = "/";
  text += label;
  text += std::to_string(n);
  return text;
}

void add_product_benchmarks(Suite& suite);
void add_attention_benchmarks(Suite& suite);
void add_elementwise_benchmarks(Suite& suite);
void add_packing_benchmarks(Suite& suite);
void add_executor_benchmarks(Suite& suite);

}  // namespace lamina::bench
