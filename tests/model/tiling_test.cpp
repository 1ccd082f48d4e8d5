// How operations are cut: every cut covers all of it once.
#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "lamina/model/tiling.hpp"

#include "doctest/doctest.h"

using namespace lamina;

namespace {

/// Says that it has n threads, in a type of its own, and has up to 3.
class Pretended {
 public:
  explicit Pretended(std::size_t n) : n_(static_cast<unsigned>(n)), pool_(std::clamp<std::size_t>(n, 1, 3)) {}
  [[nodiscard]] unsigned concurrency() const { return n_; }
  void run(std::size_t n, TaskRef task) { pool_.run(n, task); }

 private:
  unsigned n_;
  ThreadPool pool_;
};
static_assert(Executor<Pretended>);

}  // namespace

TEST_CASE("tiles cover a grid once, whatever its shape and the threads") {
  for (std::size_t const threads : {0u, 1u, 2u, 3u, 40u}) {
    Pretended pool(threads);
    for (std::size_t const n_units : {1u, 2u, 7u, 64u, 257u}) {
      for (std::size_t const n_rows : {1u, 2u, 16u, 17u, 100u, 512u}) {
        std::vector<std::atomic<int>> seen(n_units * n_rows);
        detail::Grid const grid{.n_units = n_units,
                                .n_rows = n_rows,
                                .unit_work = std::size_t{1} << 16,
                                .unit_bytes = 18432,
                                .tile_rows = 78,
                                .stream_units = 4};
        auto const body = [&](std::size_t u0, std::size_t u1, std::size_t row, std::size_t rows) {
          for (std::size_t u = u0; u < u1; ++u) {
            for (std::size_t r = row; r < row + rows; ++r) ++seen[u * n_rows + r];
          }
        };
        detail::for_each_tile(pool, grid, body);
        CHECK(std::ranges::all_of(seen, [](auto const& count) { return count == 1; }));
      }
    }
  }
}

TEST_CASE("one row is read in runs of the length that the kernels ask for, several rows in halves") {
  HostExecutor in_order(2, [](std::size_t n, TaskRef task) { Serial{}.run(n, task); });
  for (auto const& [n_rows, expected] : {std::pair{1u, 112u}, std::pair{2u, 64u}, std::pair{16u, 64u}}) {
    detail::Grid const grid{.n_units = 256,
                            .n_rows = n_rows,
                            .unit_work = std::size_t{1} << 16,
                            .unit_bytes = 18432,
                            .stream_units = 4,
                            .run_parts = 8};
    std::size_t first_run = 0;
    detail::for_each_tile(in_order, grid, [&](std::size_t u0, std::size_t u1, std::size_t, std::size_t) {
      if (u0 == 0) first_run = u1;
    });
    CHECK(first_run == expected);
  }
}

TEST_CASE("threads have bands of rows, and go through weights once for all tiles of a band") {
  detail::Bands const even{.row_tiles = 4, .chunks = 3, .n_bands = 2};
  REQUIRE(even.size() == 12);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(even[i].row_tile == i / 6 * 2 + i % 2);
    CHECK(even[i].chunk == i % 6 / 2);
  }
  // Bands of 1 and 2 tiles.
  detail::Bands const odd{.row_tiles = 3, .chunks = 2, .n_bands = 2};
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t i = 0; i < odd.size(); ++i) places.emplace_back(odd[i].row_tile, odd[i].chunk);
  CHECK(places == decltype(places){{0, 0}, {0, 1}, {1, 0}, {2, 0}, {1, 1}, {2, 1}});
}

TEST_CASE("runs cover what they are to cover once, whatever the work and the threads") {
  for (std::size_t const threads : {0u, 1u, 2u, 3u, 40u}) {
    Pretended pool(threads);
    for (std::size_t const n : {0u, 1u, 2u, 7u, 64u, 1000u}) {
      for (std::size_t const work : {0u, 1u << 16, 1u << 20, 1u << 30}) {
        std::vector<std::atomic<int>> seen(n);
        detail::for_each_run(pool, n, work, [&](std::size_t first, std::size_t last) {
          for (std::size_t i = first; i < last; ++i) ++seen[i];
        });
        CHECK(std::ranges::all_of(seen, [](auto const& count) { return count == 1; }));
      }
    }
  }
}
