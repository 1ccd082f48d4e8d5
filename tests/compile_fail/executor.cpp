// fails with: Executor.*executor\.run\(n, task\)
#include "lamina/core/executor.hpp"
#include "lamina/model/cpu_backend.hpp"

struct MyPool {
  [[nodiscard]] std::size_t concurrency() const { return 1; }
#ifndef BAD
  void run(std::size_t n, lamina::TaskRef task) {
    for (std::size_t i = 0; i < n; ++i) task(i);
  }
#else
  void execute(std::size_t n, lamina::TaskRef task);
#endif
};

using MyBackend = lamina::Cpu<MyPool>;
