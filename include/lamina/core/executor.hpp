// Executors: where the tasks of one operation run. Serial, a thread pool, and an adapter to the host's own pool.
//
// No result depends on the executor: the numeric contract fixes every order of addition, so an executor is free to run
// tasks in any order, on any number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
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
/// Task i, of the first 64, goes to thread i, the caller being thread 0, so that tasks of the same number find in its
/// caches what they left there in the run before; but a run never waits for a worker that is late: whoever has nothing
/// left takes another's task. A second thread that calls run() while the pool is busy runs its own tasks by itself.
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
        workers_.emplace_back([this, i](std::stop_token const& stop) { work(i, stop); });
      }
    } catch (std::system_error const& e) {
      stop_workers();  // their destructors would wait for ever
      fail(Errc::kInvalidArgument, "ThreadPool: thread ", workers_.size() + 1, " of ", n_threads,
           " does not start: ", e.what());
    } catch (...) {
      stop_workers();
      throw;
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
    run_.task = &task;
    run_.n = n;
    run_.later.store(static_cast<std::int64_t>(n - std::min(n, kNumbered)), std::memory_order_release);
    run_.numbered.store(n < kNumbered ? (std::uint64_t{1} << n) - 1 : ~std::uint64_t{0});  // publishes task and n
    if (sleepers_.load() != 0) wake_workers();
    std::size_t by_caller = 0;
    while (run_one(0)) ++by_caller;
    by_workers_ += n - by_caller;
    while (completed_.load(std::memory_order_acquire) != by_workers_) pause();
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

  void wake_workers() noexcept {
    generation_.fetch_add(1);
    generation_.notify_all();
  }
  void stop_workers() noexcept {
    for (auto& worker : workers_) worker.request_stop();
    wake_workers();
  }

  /// Takes a task of the current run: number `own` if it is there, else any. The claim keeps run() from returning, so
  /// task and n are stable from the claim until the task is counted as completed.
  std::optional<std::size_t> claim(std::size_t own) noexcept {
    for (std::uint64_t left = run_.numbered.load(std::memory_order_relaxed); left != 0;) {
      bool const has_own = own < kNumbered && (left >> own & 1) != 0;
      std::size_t const i = has_own ? own : static_cast<std::size_t>(std::countr_zero(left));
      std::uint64_t const bit = std::uint64_t{1} << i;
      left = run_.numbered.fetch_and(~bit, std::memory_order_acquire);
      if ((left & bit) != 0) return i;
    }
    if (run_.later.load(std::memory_order_relaxed) <= 0) return std::nullopt;
    std::int64_t const left = run_.later.fetch_sub(1, std::memory_order_acquire);
    if (left <= 0) return std::nullopt;
    return run_.n - static_cast<std::size_t>(left);
  }
  bool run_one(std::size_t own) {
    auto const i = claim(own);
    if (i) (*run_.task)(*i);
    return i.has_value();
  }

  void work(std::size_t own, std::stop_token const& stop) {
    for (;;) {
      for (int spins = 0; spins < kSpins; ++spins) {
        while (run_one(own)) {
          completed_.fetch_add(1, std::memory_order_release);
          spins = 0;
        }
        pause();
      }
      // run() looks for sleepers once its tasks are there, and stop_workers() changes the generation after the stop
      // flag: what comes after these reads ends the wait.
      std::uint32_t const seen = generation_.load();
      sleepers_.fetch_add(1);
      if (stop.stop_requested()) return;
      if (run_.numbered.load() == 0 && run_.later.load() <= 0) generation_.wait(seen);
      sleepers_.fetch_sub(1);
    }
  }

  static constexpr std::size_t kNumbered = 64;  // the tasks that a thread may call its own

  // What threads that are awake read and write lies in few lines, apart from what only sleep needs: a line that goes
  // from core to core may take 0.5 us (Zen 4).
  struct alignas(64) Run {
    std::atomic<std::uint64_t> numbered{0};  // bit i: task i, below kNumbered, is left
    std::atomic<std::int64_t> later{0};      // tasks that are left of those from kNumbered on
    TaskRef const* task = nullptr;
    std::size_t n = 0;
  };
  Run run_;
  alignas(64) std::atomic<std::size_t> completed_{0};  // by workers, since the pool began
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::uint32_t> sleepers_{0};
  alignas(64) std::atomic_flag busy_;
  std::size_t by_workers_ = 0;  // tasks that workers have taken in finished runs and this one: what completed_ comes to
  std::vector<std::jthread> workers_;  // last: joined before the rest goes
};

}  // namespace lamina::inline v0_1
