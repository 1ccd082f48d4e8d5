#include "lamina/core/executor.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

namespace {

using lamina::HostExecutor;
using lamina::Serial;
using lamina::TaskRef;
using lamina::ThreadPool;

static_assert(lamina::Executor<Serial>);
static_assert(lamina::Executor<Serial const>);
static_assert(lamina::Executor<ThreadPool>);
static_assert(!lamina::Executor<int>);

// Runs n tasks and says whether each index came exactly once, and all of them before run() returned.
template <lamina::Executor E>
bool runs_each_once(E& executor, std::size_t n) {
  std::vector<std::atomic<int>> calls(n);
  executor.run(n, [&](std::size_t i) { calls[i].fetch_add(1, std::memory_order_relaxed); });
  return std::ranges::all_of(calls, [](auto const& count) { return count.load(std::memory_order_relaxed) == 1; });
}

constexpr std::size_t kSizes[] = {0, 1, 2, 3, 7, 64, 1000};

TEST_CASE("Serial runs each task once, in order") {
  Serial serial;
  for (std::size_t const n : kSizes) CHECK(runs_each_once(serial, n));
  std::vector<std::size_t> order;
  serial.run(4, [&](std::size_t i) { order.push_back(i); });
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3});
}

TEST_CASE("ThreadPool runs each task once, with any number of threads") {
  for (std::size_t threads = 1; threads <= 8; ++threads) {
    ThreadPool pool(threads);
    CHECK(pool.concurrency() == threads);
    for (int repeat = 0; repeat < 50; ++repeat) {
      for (std::size_t const n : kSizes) REQUIRE(runs_each_once(pool, n));
    }
  }
}

TEST_CASE("what tasks wrote is visible after run, and what the caller wrote is visible to tasks") {
  ThreadPool pool(4);
  std::vector<std::size_t> values(100, 0);  // plain memory: a missing barrier is a race that ThreadSanitizer sees
  for (std::size_t round = 1; round <= 200; ++round) {
    for (std::size_t& value : values) ++value;
    pool.run(values.size(), [&](std::size_t i) { values[i] += values[i] == 2 * round - 1 ? 1 : 1'000'000; });
    REQUIRE(std::ranges::all_of(values, [&](std::size_t v) { return v == 2 * round; }));
  }
}

TEST_CASE("two threads run on one pool at a time, each gets its own tasks done") {
  ThreadPool pool(3);
  std::atomic<int> failures{0};
  auto const caller = [&](std::size_t n) {
    for (int repeat = 0; repeat < 1000; ++repeat) failures += runs_each_once(pool, n) ? 0 : 1;
  };
  {
    std::jthread const first(caller, 17);
    std::jthread const second(caller, 5);
  }
  CHECK(failures == 0);
}

TEST_CASE("a run from within a task completes") {
  ThreadPool pool(3);
  std::atomic<int> inner{0};
  pool.run(8, [&](std::size_t) { pool.run(8, [&](std::size_t) { inner.fetch_add(1); }); });
  CHECK(inner == 64);
}

TEST_CASE("sleeping workers wake for the next run, and the pool can be destroyed asleep, awake or unused") {
  for (int round = 0; round < 20; ++round) {
    auto pool = std::make_unique<ThreadPool>(4);
    if (round % 3 == 1) CHECK(runs_each_once(*pool, 100));
    if (round % 3 == 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      CHECK(runs_each_once(*pool, 100));
    }
  }
}

// Seconds of CPU that the process used while this thread slept for that long.
double busy_while_asleep(std::chrono::milliseconds nap) {
  std::clock_t const before = std::clock();
  std::this_thread::sleep_for(nap);
  return static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
}

TEST_CASE("workers that have nothing to do use no CPU") {
  ThreadPool pool(4);
  CHECK(runs_each_once(pool, 100));
  // Three workers that spin would use the whole nap at least. A worker that is late to sleep has many naps for it.
  bool idle = false;
  for (int nap = 0; nap < 100 && !idle; ++nap) idle = busy_while_asleep(std::chrono::milliseconds(20)) < 0.002;
  CHECK(idle);
}

TEST_CASE("workers do take part") {
  ThreadPool pool(2);
  std::atomic<bool> second_started{false};
  // Task 0 waits for task 1, so they must be on two threads. A late worker is waited for, up to a limit.
  auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  pool.run(2, [&](std::size_t i) {
    if (i == 1) second_started = true;
    while (!second_started && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  });
  CHECK(second_started);
}

TEST_CASE("task i is thread i's, the caller's being task 0, where all threads come") {
  constexpr std::size_t kThreads = 4;
  ThreadPool pool(kThreads);
  std::vector<std::thread::id> first(kThreads);
  for (std::size_t round = 0; round < 50; ++round) {
    std::vector<std::thread::id> ran(kThreads);
    std::atomic<std::size_t> arrived{0};
    pool.run(kThreads, [&](std::size_t i) {
      ran[i] = std::this_thread::get_id();
      arrived.fetch_add(1);
      while (arrived < kThreads) std::this_thread::yield();  // so that no thread has two tasks
    });
    if (round == 0) first = ran;
    REQUIRE(ran == first);
    REQUIRE(ran[0] == std::this_thread::get_id());
  }
}

TEST_CASE("a thread count outside 1 to 1024 is an Error that names it") {
  CHECK_THROWS_WITH_AS(ThreadPool(0), "ThreadPool: 0 threads, expected 1 to 1024", lamina::Error);
  CHECK_THROWS_WITH_AS(ThreadPool(1025), "ThreadPool: 1025 threads, expected 1 to 1024", lamina::Error);
}

TEST_CASE("the host's own parallel loop is an executor") {
  std::size_t runs = 0;
  HostExecutor host(2, [&runs](std::size_t n, TaskRef task) {
    ++runs;
    std::jthread const odd([&] {
      for (std::size_t i = 1; i < n; i += 2) task(i);
    });
    for (std::size_t i = 0; i < n; i += 2) task(i);
  });
  static_assert(lamina::Executor<decltype(host)>);
  CHECK(host.concurrency() == 2);
  for (std::size_t const n : kSizes) CHECK(runs_each_once(host, n));
  CHECK(runs == std::size(kSizes));
}

}  // namespace
