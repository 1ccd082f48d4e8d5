// Shares and what is taken of them: everything once, whoever takes it.
#include <algorithm>
#include <atomic>
#include <vector>

#include "lamina/core/executor.hpp"
#include "lamina/model/shared_runs.hpp"

#include "doctest/doctest.h"

using namespace lamina;
using detail::SharedRuns;

namespace {

std::vector<SharedRuns::Run> taken_by(SharedRuns& runs, std::size_t i) {
  std::vector<SharedRuns::Run> all;
  runs.work(i, [&](std::size_t first, std::size_t last) { all.emplace_back(first, last); });
  return all;
}

bool cover(std::vector<SharedRuns::Run> runs, std::size_t n) {
  std::ranges::sort(runs);
  std::size_t next = 0;
  for (auto const& [first, last] : runs) {
    if (first != next || last <= first) return false;
    next = last;
  }
  return next == n;
}

/// Whether no more runs than shares have another length than a multiple of `step` that is at least `least`.
bool in_steps(std::vector<SharedRuns::Run> const& runs, std::size_t shares, std::size_t least, std::size_t step) {
  auto const odd = std::ranges::count_if(runs, [&](SharedRuns::Run const& run) {
    std::size_t const length = run.second - run.first;
    return length % step != 0 || length < least;
  });
  return static_cast<std::size_t>(odd) <= shares;
}

}  // namespace

TEST_CASE("one thread that is alone takes its own share first, then all others") {
  for (std::size_t const shares : {1u, 2u, 7u, 100u}) {
    for (std::size_t const step : {1u, 2u, 4u}) {
      for (std::size_t const least : {0u, 1u, 3u, 16u}) {
        for (std::size_t const parts : {2u, 8u}) {
          for (std::size_t n = 0; n <= 260; ++n) {
            SharedRuns runs(n, shares, least, step, parts);
            std::vector<SharedRuns::Run> const all = taken_by(runs, 0);
            CAPTURE(n);
            CHECK(cover(all, n));
            CHECK((all.empty() || all.front().first == 0));
            CHECK(in_steps(all, shares, least, step));
            CHECK(taken_by(runs, 0).empty());
          }
        }
      }
    }
  }
}

TEST_CASE("runs of a share: half of what is left, from its front; others take from its back") {
  SharedRuns own(256, 2, 8, 4);
  std::vector<SharedRuns::Run> const expected{{0, 64},    {64, 96},   {96, 112},  {112, 120}, {120, 128},
                                              {192, 256}, {160, 192}, {144, 160}, {136, 144}, {128, 136}};
  CHECK(taken_by(own, 0) == expected);

  SharedRuns second(256, 2, 8, 4);
  CHECK(taken_by(second, 1).front() == SharedRuns::Run{128, 192});
  SharedRuns fewer(256, 2, 8, 4);
  CHECK(taken_by(fewer, 5).front() == SharedRuns::Run{128, 192});  // a thread more than shares
}

TEST_CASE("runs of all but an eighth of what is left") {
  SharedRuns own(256, 2, 8, 4, 8);
  std::vector<SharedRuns::Run> const expected{{0, 112}, {112, 128}, {144, 256}, {128, 144}};
  CHECK(taken_by(own, 0) == expected);
  SharedRuns shared(3200, 32, 1, 1, 8);  // two threads a share, each of which may expect a half of it
  CHECK(taken_by(shared, 0).front() == SharedRuns::Run{0, 87});
}

TEST_CASE("no run is longer than half a thread's part, however many threads there are") {
  for (std::size_t const threads : {1u, 2u, 16u, 17u, 48u, 64u, 1000u}) {
    constexpr std::size_t kThings = 64000;
    SharedRuns runs(kThings, threads, 1, 1);
    for (auto const& [first, last] : taken_by(runs, 0)) CHECK(last - first <= kThings / threads / 2 + 1);
  }
}

TEST_CASE("threads that take at the same time take everything once") {
  ThreadPool pool(3);
  for (std::size_t const shares : {1u, 2u, 3u, 8u}) {
    for (std::size_t repeat = 0; repeat < 50; ++repeat) {
      constexpr std::size_t kThings = 1009;
      std::vector<std::atomic<int>> seen(kThings);
      SharedRuns runs(kThings, shares, 1, 1);
      pool.run(3, [&](std::size_t i) {
        runs.work(i, [&](std::size_t first, std::size_t last) {
          for (std::size_t at = first; at < last; ++at) ++seen[at];
        });
      });
      CHECK(std::ranges::all_of(seen, [](auto const& count) { return count == 1; }));
    }
  }
}
