// How an operation on a CPU is cut into tasks. No result depends on the cut: lanes and tasks are whole outputs.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "lamina/core/executor.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/model/shared_runs.hpp"

namespace lamina::inline v0_1::detail {

/// Multiply-adds below which a task is not worth handing to another thread: a run costs 1 to 2 us, in which a core
/// does some 100,000 of them.
inline constexpr std::size_t kTaskWork = std::size_t{1} << 16;

/// Rows up to which a step is bound by reading weights: each thread then reads long runs of a share of them, the last
/// ones of this many bytes (decoding, Zen 5, by the least time: 32 KiB 1.01, 64 KiB 1.03, 128 KiB 1.02, 256 KiB 1.015
/// times as fast as runs of 256 KiB and more that threads take from one queue).
inline constexpr std::size_t kStreamingRows = 16;
inline constexpr std::size_t kStreamBytes = std::size_t{64} << 10;

/// Activations of a tile of rows stay in the L2 cache while panels of weights go past them: bytes of half of it, at
/// least of the smallest in use (512 KiB). A cache that is twice as large makes Q4_0's 2048 x 8192 1.3 times as fast
/// with twice the rows (Zen 5, 1 MiB, two threads).
inline std::size_t tile_bytes() noexcept {
  constexpr std::size_t kLeast = std::size_t{256} << 10;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  long const l2 = ::sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (l2 > 0) return std::clamp<std::size_t>(static_cast<std::size_t>(l2) / 2, kLeast, 4 * kLeast);
#endif
  return kLeast;
}

/// Rows of activations that chunks of weights go past together: what fits tile_bytes, but at least `least`. For
/// quantized ones that is KernelTable::rows_at_once, whatever the cache (prefill: Zen 5, 128 rows of 8,192 columns
/// against 39, 1.01 to 1.02 times as fast; Zen 4, products of 512 rows by two threads, 256 against 128 and 157 rows of
/// 2,048 columns, Q8_0 1.01 to 1.04, Q4_0 1.0 to 1.02, Q4_K 1.01 to 1.03, Q6_K 1.0 to 1.02).
constexpr std::size_t tile_rows(std::size_t row_bytes, std::size_t least, std::size_t tile_bytes) noexcept {
  return std::max(least, tile_bytes / row_bytes);
}

/// Of a chunk of weights that many rows go past: the last ones are what threads wait for one another (Zen 4, prefill of
/// 512, against 512 KiB: waiting 2 to 3 instead of 8 to 10 of 1,550 ms, 1.003 to 1.005 times as fast).
inline constexpr std::size_t kChunkBytes = std::size_t{128} << 10;

/// Part i of n things cut into `parts` nearly equal runs: [begin(i), begin(i + 1)).
constexpr std::size_t part_begin(std::size_t n, std::size_t parts, std::size_t i) noexcept { return n * i / parts; }

/// Tasks worth making of this much work.
constexpr std::size_t tasks_for(std::size_t work, std::size_t limit) noexcept {
  return std::clamp<std::size_t>(work / kTaskWork, 1, limit == 0 ? 1 : limit);
}

/// Panels that kernels read side by side where there are few rows: runs are multiples of so many. Zen 4 reads eight
/// where it can, and what a run leaves of them one by one: short runs, at the end of a share, count for more.
inline constexpr std::size_t kPanelsAtOnce = 4;

/// Runs are halves of what is left, so that threads of unequal speed end together, where nothing is known that would
/// count more.
inline constexpr std::size_t kRunParts = 2;

/// A product's units (panels of weights, say) times its rows.
struct Grid {
  std::size_t n_units = 0;
  std::size_t n_rows = 0;
  std::size_t unit_work = 0;          // multiply-adds of one unit for one row
  std::size_t unit_bytes = 0;         // weights of one unit
  std::size_t tile_rows = 0;          // that a task takes at most: see tile_rows()
  std::size_t stream_units = 1;       // kPanelsAtOnce in units
  std::size_t run_parts = kRunParts;  // of one row: KernelTable::run_parts
};

/// body(first, last) covers 0 .. n - 1 in runs: each of `tasks` threads takes them from its share, the same in every
/// operation that is cut alike, then from what others have left. Runs have at least `least` things and are
/// multiples of `step`: see SharedRuns, also for `parts`.
template <Executor E, class Body>
void deal(E& executor, std::size_t n, std::size_t tasks, std::size_t least, std::size_t step, std::size_t parts,
          Body const& body) {
  SharedRuns runs(n, tasks, least, step, parts);
  executor.run(tasks, [&](std::size_t i) { runs.work(i, body); });
}

/// Many rows: tiles of them times chunks of units. Rows are dealt to threads in bands, so that most of what a thread
/// reads of them was written by itself, in the operation before, if there is a tile for each thread: lines that travel
/// between cores take up to 0.5 us (Zen 4: prefill of 512 tokens 1.02 to 1.04 times as fast). Within a band, tiles that
/// share weights are neighbours, so that the weights come from memory once.
struct Bands {
  std::size_t row_tiles, chunks, n_bands;

  struct Place {
    std::size_t row_tile, chunk;
  };
  [[nodiscard]] constexpr std::size_t size() const noexcept { return row_tiles * chunks; }
  [[nodiscard]] constexpr Place operator[](std::size_t i) const noexcept {
    std::size_t const band = ((i / chunks + 1) * n_bands - 1) / row_tiles;
    std::size_t const first = part_begin(row_tiles, n_bands, band);
    std::size_t const tiles = part_begin(row_tiles, n_bands, band + 1) - first;
    std::size_t const in_band = i - first * chunks;
    return {first + in_band % tiles, in_band / tiles};
  }
};

/// body(first_unit, last_unit, first_row, n_rows) covers the grid.
template <Executor E, class Body>
void for_each_tile(E& executor, Grid const& g, Body const& body) {
  std::size_t const threads = executor.concurrency();
  std::size_t const work = g.n_units * g.unit_work * g.n_rows;
  if (g.n_rows <= kStreamingRows) {
    std::size_t const tasks = tasks_for(work, threads);
    if (tasks == 1) return body(std::size_t{0}, g.n_units, std::size_t{0}, g.n_rows);
    std::size_t const share = div_ceil(g.n_units, tasks);  // of one thread
    std::size_t const least = div_ceil(kStreamBytes, std::max<std::size_t>(g.unit_bytes, 1));
    return deal(executor, g.n_units, tasks, std::min(least, share), share >= 4 ? g.stream_units : 1,
                g.n_rows == 1 ? g.run_parts : kRunParts,
                [&](std::size_t first, std::size_t last) { body(first, last, std::size_t{0}, g.n_rows); });
  }
  std::size_t const row_tiles = div_ceil(g.n_rows, std::max(kStreamingRows, g.tile_rows));
  // Kernels take up to 8 rows at a time.
  std::size_t const tile_rows = round_up(div_ceil(g.n_rows, row_tiles), 8);
  std::size_t const by_bytes = div_ceil(g.n_units * g.unit_bytes, kChunkBytes);
  std::size_t const by_threads = threads <= 1 ? 1 : div_ceil(4 * threads, row_tiles);
  // AVX-512 kernels take two panels at a time: where there are many units, every chunk has an even number of them.
  std::size_t const step = g.n_units >= 8 * threads ? 2 : 1;
  std::size_t const n_steps = div_ceil(g.n_units, step);
  std::size_t const chunks = std::min(std::max(by_bytes, by_threads), tasks_for(work, n_steps));
  Bands const bands{row_tiles, chunks, std::clamp<std::size_t>(threads, 1, row_tiles)};
  deal(executor, bands.size(), std::clamp<std::size_t>(threads, 1, bands.size()), 1, 1, kRunParts,
       [&](std::size_t first, std::size_t last) {
         for (std::size_t i = first; i < last; ++i) {
           auto const [row_tile, chunk] = bands[i];
           std::size_t const row = row_tile * tile_rows;
           if (row >= g.n_rows) continue;
           body(step * part_begin(n_steps, chunks, chunk),
                std::min(g.n_units, step * part_begin(n_steps, chunks, chunk + 1)), row,
                std::min(tile_rows, g.n_rows - row));
         }
       });
}

/// body(first, last) covers 0 .. n - 1, `work` multiply-adds in all, in runs.
template <Executor E, class Body>
void for_each_run(E& executor, std::size_t n, std::size_t work, Body const& body) {
  if (n == 0) return;
  std::size_t const tasks = tasks_for(work, std::min<std::size_t>(executor.concurrency(), n));
  if (tasks == 1) return body(std::size_t{0}, n);
  deal(executor, n, tasks, div_ceil(n, tasks_for(work, n)), 1, kRunParts, body);
}

}  // namespace lamina::inline v0_1::detail
