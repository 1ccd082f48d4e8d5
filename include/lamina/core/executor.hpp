// Executors: where the tasks of one operation run. Serial, a thread pool, and an adapter to the host's own pool.
//
// No result depends on the executor: the numeric contract fixes every order of addition, so an executor is free to run
// tasks in any order, on any number of threads.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/function_ref.hpp"

namespace lamina::inline v0_1 {

/// One task of a run, given its index. Must not throw.
using TaskRef = FunctionRef<void(std::size_t)>;

/// run(n, task) calls task(0) .. task(n - 1), each once, in any order, and returns when all have returned.
/// It may be called from several threads at a time. concurrency() is a hint for cutting work into tasks.
template <class E>
concept Executor = requires(E& executor, std::size_t n, TaskRef task) {
  { executor.concurrency() } -> std::convertible_to<std::size_t>;
  { executor.run(n, task) };
};

/// Runs every task on the calling thread.
class Serial {
 public:
  [[nodiscard]] std::size_t concurrency() const noexcept { return 1; }
  void run(std::size_t n, TaskRef task) const {
    for (std::size_t i = 0; i < n; ++i) task(i);
  }
};

/// The host's own parallel loop as an executor: `parallel_for(n, task)` must satisfy the contract of run().
template <std::invocable<std::size_t, TaskRef> ParallelFor>
class HostExecutor {
 public:
  HostExecutor(std::size_t concurrency, ParallelFor parallel_for)
      : concurrency_(concurrency), parallel_for_(std::move(parallel_for)) {}
  [[nodiscard]] std::size_t concurrency() const noexcept { return concurrency_; }
  void run(std::size_t n, TaskRef task) { parallel_for_(n, task); }

 private:
  std::size_t concurrency_;
  ParallelFor parallel_for_;
};

/// `n_threads - 1` workers plus the caller of run(). Workers spin for some 30 us after a run, so that the operations of
/// one step find them awake, then sleep and use no CPU.
///
/// A run never waits for a worker that is late: whoever is awake takes the next task, the caller included. A second
/// thread that calls run() while the pool is busy runs its own tasks by itself.
class ThreadPool {
 public:
  /// Throws Error{kInvalidArgument} unless 1 <= n_threads <= 1024, or where the system starts no more threads.
  explicit ThreadPool(std::size_t n_threads) {
    if (n_threads < 1 || n_threads > 1024) {
      fail(Errc::kInvalidArgument, "ThreadPool: ", n_threads, " threads, expected 1 to 1024");
    }
    workers_.reserve(n_threads - 1);
    try {
      for (std::size_t i = 1; i < n_threads; ++i) {
        workers_.emplace_back([this](std::stop_token const& stop) { work(stop); });
      }
    } catch (std::system_error const& e) {
      stop_workers();  // their destructors would wait for ever
      fail(Errc::kInvalidArgument, "ThreadPool: thread ", workers_.size() + 1, " of ", n_threads,
           " does not start: ", e.what());
    }
  }

  ~ThreadPool() { stop_workers(); }

  ThreadPool(ThreadPool const&) = delete;
  ThreadPool& operator=(ThreadPool const&) = delete;

  [[nodiscard]] std::size_t concurrency() const noexcept { return workers_.size() + 1; }

  void run(std::size_t n, TaskRef task) {
    if (n <= 1 || workers_.empty() || busy_.test_and_set(std::memory_order_acquire)) {
      return Serial{}.run(n, task);
    }
    task_ = &task;
    n_tasks_ = n;
    completed_.store(0, std::memory_order_relaxed);
    remaining_.store(static_cast<std::int64_t>(n));  // publishes task_ and n_tasks_
    generation_.fetch_add(1);
    if (sleepers_.load() != 0) generation_.notify_all();
    while (run_one()) {}
    while (completed_.load(std::memory_order_acquire) != n) pause();
    busy_.clear(std::memory_order_release);
  }

 private:
  static constexpr int kSpins = 1000;  // of about 30 ns

  static void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }

  void stop_workers() noexcept {
    for (auto& worker : workers_) worker.request_stop();
    generation_.fetch_add(1);
    generation_.notify_all();
  }

  /// Claims a task and runs it; false where none is left. The claim keeps run() from returning, so task_ and n_tasks_
  /// are stable from the claim to the increment of completed_.
  bool run_one() {
    if (remaining_.load(std::memory_order_relaxed) <= 0) return false;
    std::int64_t const claim = remaining_.fetch_sub(1, std::memory_order_acquire);
    if (claim <= 0) return false;
    (*task_)(n_tasks_ - static_cast<std::size_t>(claim));
    completed_.fetch_add(1, std::memory_order_release);
    return true;
  }

  void work(std::stop_token const& stop) {
    for (;;) {
      // Read before the stop flag: the destructor raises the flag first, then the generation.
      std::uint32_t const seen = generation_.load();
      if (stop.stop_requested()) return;
      int spins = 0;
      while (generation_.load(std::memory_order_relaxed) == seen && spins < kSpins) {
        if (run_one()) {
          spins = 0;
        } else {
          pause();
          ++spins;
        }
      }
      if (generation_.load() != seen) {
        while (run_one()) {}
        continue;
      }
      sleepers_.fetch_add(1);
      generation_.wait(seen);
      sleepers_.fetch_sub(1);
    }
  }

  alignas(64) std::atomic<std::int64_t> remaining_{0};
  alignas(64) std::atomic<std::size_t> completed_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::uint32_t> sleepers_{0};
  std::atomic_flag busy_;
  TaskRef const* task_ = nullptr;
  std::size_t n_tasks_ = 0;
  std::vector<std::jthread> workers_;  // last: joined before the rest goes
};

}  // namespace lamina::inline v0_1
