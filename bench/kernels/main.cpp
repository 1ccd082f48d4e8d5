// What each kernel reaches on this machine, as a share of what the machine can do. See suite.hpp.
#include <benchmark/benchmark.h>

#include <string>
#include <thread>
#include <vector>

#include "bench/kernels/suite.hpp"

namespace lamina::bench {

std::vector<std::size_t> thread_counts() {
  std::size_t const all = std::thread::hardware_concurrency();
  return all > 1 ? std::vector<std::size_t>{1, all} : std::vector<std::size_t>{1};
}

}  // namespace lamina::bench

int main(int argc, char** argv) {
  lamina::bench::hardware_counters();
  lamina::bench::Suite suite;
  lamina::bench::add_product_benchmarks(suite);
  lamina::bench::add_attention_benchmarks(suite);
  lamina::bench::add_elementwise_benchmarks(suite);
  lamina::bench::add_packing_benchmarks(suite);
  lamina::bench::add_executor_benchmarks(suite);
  benchmark::AddCustomContext("machine", lamina::bench::machine_name());
  // Many cuts of many kernels: a tenth of a second each, unless the command line says otherwise.
  std::vector<char*> arguments(argv, argv + argc);
  std::string min_time = "--benchmark_min_time=0.1";
  arguments.insert(arguments.begin() + 1, min_time.data());
  int n_arguments = static_cast<int>(arguments.size());
  benchmark::Initialize(&n_arguments, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(n_arguments, arguments.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
