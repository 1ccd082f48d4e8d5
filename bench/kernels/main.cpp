// What each kernel reaches on this machine, as a share of what the machine can do. See suite.hpp.
#include <benchmark/benchmark.h>

#include <thread>

#include "bench/kernels/suite.hpp"

namespace lamina::bench {

std::vector<std::size_t> thread_counts() {
  std::size_t const all = std::thread::hardware_concurrency();
  return all > 1 ? std::vector<std::size_t>{1, all} : std::vector<std::size_t>{1};
}

}  // namespace lamina::bench

int main(int argc, char** argv) {
  lamina::bench::Suite suite;
  lamina::bench::add_product_benchmarks(suite);
  lamina::bench::add_attention_benchmarks(suite);
  lamina::bench::add_elementwise_benchmarks(suite);
  benchmark::AddCustomContext("machine", lamina::bench::machine_name());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
