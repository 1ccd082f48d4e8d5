// What a run of tasks costs beside the tasks: fork and join of an executor whose threads are awake.
#include <atomic>
#include <cstddef>
#include <string>

#include "bench/kernels/suite.hpp"
#include "lamina/core/executor.hpp"

namespace lamina::bench {
namespace {

/// One task a thread, done when every thread has begun its own. So no thread can do another's, as it would with tasks
/// this short, and a call is never less than a fork, a meeting and a join.
void time_fork_join(benchmark::State& state, ThreadPool& pool) {
  std::size_t const n = pool.concurrency();
  std::atomic<std::size_t> arrived = 0;
  std::size_t expected = 0;
  seconds_per_call(state, [&] {
    expected += n;
    pool.run(n, [&](std::size_t) {
      arrived.fetch_add(1);
      while (arrived.load(std::memory_order_relaxed) < expected) {}
    });
  });
}

}  // namespace

void add_executor_benchmarks(Suite& suite) {
  for (std::size_t const n : thread_counts()) {
    add("fork_join" + part("threads:", n),
        [&suite, n](benchmark::State& state) { time_fork_join(state, suite.pool(n)); });
  }
}

}  // namespace lamina::bench
