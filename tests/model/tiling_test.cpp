// How operations are cut: every cut covers all of it once.
#include <algorithm>
#include <atomic>
#include <vector>

#include "lamina/model/tiling.hpp"

#include "doctest/doctest.h"

using namespace lamina;

TEST_CASE("tiles cover a grid once, whatever its shape and the threads") {
  for (std::size_t const threads : {1u, 2u, 3u}) {
    ThreadPool pool(threads);
    for (std::size_t const n_units : {1u, 2u, 7u, 64u, 257u}) {
      for (std::size_t const n_rows : {1u, 2u, 16u, 17u, 100u, 512u}) {
        std::vector<std::atomic<int>> seen(n_units * n_rows);
        detail::Grid const grid{.n_units = n_units,
                                .n_rows = n_rows,
                                .unit_work = std::size_t{1} << 16,
                                .unit_bytes = 18432,
                                .tile_rows = 78,
                                .tile_bytes = std::size_t{256} << 10,
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
