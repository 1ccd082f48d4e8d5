// Matrix products: panels of 16 rows times tiles of activation rows, in the order that the numeric contract fixes.
//
// A panel stays in the L1 or L2 cache while the tiles of a chunk of rows pass; the chunk stays in the L2 cache, or in
// L3 where it has very many columns, while the panels pass. With many rows a segment of it, unpacked, may stay in L1.

#if defined(LAMINA_KERNELS_PRODUCT_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_PRODUCT_INL_HPP
#undef LAMINA_KERNELS_PRODUCT_INL_HPP
#else
#define LAMINA_KERNELS_PRODUCT_INL_HPP
#endif

#include "lamina/kernels/bf16_tiles-inl.hpp"
#include "lamina/kernels/float_tiles-inl.hpp"
#include "lamina/kernels/quantized_tiles-inl.hpp"
#include "lamina/kernels/sums-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

/// Computes a tile and writes it to y.
template <class Tiles, std::size_t R, std::size_t V, dot::Ahead kAhead>
HWY_INLINE void one_tile(Product const& p, std::size_t vector, std::size_t panel_step, std::size_t first_row,
                         TileAhead& ahead) noexcept {
  ahead.start();
  if (HWY_UNLIKELY(has_padding<V>(p, vector, panel_step))) {
    alignas(kAlignment) float sums[R * V * kLanes];
    Tiles::template tile<R, V, kAhead>(p, vector, panel_step, first_row, ahead, outputs_in_array<V>(sums));
    return write_without_padding<R, V>(p, vector, panel_step, first_row, sums);
  }
  Outputs const out = outputs_in_y(p, vector, panel_step, first_row);
  if constexpr (R >= 4) ask_for_outputs<R, V>(out);
  Tiles::template tile<R, V, kAhead>(p, vector, panel_step, first_row, ahead, out);
}

/// How R rows of a product are read, where these are all its rows; panels 0: cut as for many.
template <class Tiles, std::size_t R, Core kCore>
inline constexpr dot::Streams kStreamsOf = (kCore == Core::kZen4 ? Tiles::kStreamsOfZen4 : Tiles::kStreams)[R - 1];
/// The same where the rows and a panel do not fit the L1 cache together.
template <class Tiles, std::size_t R, Core kCore>
inline constexpr dot::Streams kCrowdedStreamsOf =
    kCore == Core::kZen4 ? Tiles::kCrowdedStreamsOfZen4[R - 1] : kStreamsOf<Tiles, R, kCore>;

/// V registers of output rows times activation rows [first, last): R at a time, the rest in a smaller tile.
template <class Tiles, std::size_t R, std::size_t V>
void some_rows(Product const& p, std::size_t vector, std::size_t first, std::size_t last, TileAhead& ahead) noexcept {
  for (; last - first >= R; first += R) one_tile<Tiles, R, V, dot::Ahead{}>(p, vector, 1, first, ahead);
  if constexpr (R > 1) {
    if (first < last) some_rows<Tiles, R - 1, V>(p, vector, first, last, ahead);
  }
}

/// How many of n rows' tiles, R rows at a time, ask for the next panels.
template <std::size_t R>
constexpr std::size_t tiles_that_ask(std::size_t n) {
  return std::max<std::size_t>(1, n / R + (n % R >= kRowsToAsk ? 1 : 0));
}

/// Units of weights that are unpacked at a time, and rows of activations that pass over them at most. 16 units of two
/// panels take 18 to 20 KiB: with 8 the starts and ends of tiles show, more crowd the L1 cache (Zen 5, 48 KiB, one
/// thread, Q4_K and Q6_K: 8 units 66.3 and 58.0 % of the peak, 16 67.4 and 59.8, 24 65.6 and 59.9).
inline constexpr std::size_t kSegmentUnits = 16;
inline constexpr std::size_t kSegmentRows = 256;

/// Columns of V registers of output rows, unpacked, on their way over activation rows [first_row, last_row).
template <class Tiles, std::size_t V>
struct Segment {
  typename Tiles::template Unpacked<V> const* w;
  std::size_t first, n;  // units
  bool is_last;
  std::size_t vector;
  std::size_t first_row, last_row;

  /// Where the activations lie of the tile that comes after the one that ends before `row`.
  [[nodiscard]] std::byte const* activations_after(Product const& p, std::size_t row) const {
    return row < last_row ? Tiles::activations(p, row, first) : Tiles::activations(p, first_row, first + n);
  }
};

/// sums, [R][V * kLanes], to y.
template <std::size_t R, std::size_t V>
HWY_INLINE void write_sums(Product const& p, std::size_t vector, std::size_t first_row, float const* sums) noexcept {
  if (HWY_UNLIKELY(has_padding<V>(p, vector, 1))) return write_without_padding<R, V>(p, vector, 1, first_row, sums);
  Floats acc[R][V];
  load(sums, acc);
  store(acc, outputs_in_y(p, vector, 1, first_row));
}

/// Rows [row, last_row) over a segment: R at a time, the rest in smaller tiles. sums: of those tiles, one after the
/// other.
template <std::size_t R, class Tiles, std::size_t V, class Ahead>
void add_segment(Product const& p, Segment<Tiles, V> const& s, std::size_t row, Ahead& ahead, float* sums) noexcept {
  constexpr std::size_t kSums = R * V * kLanes;
  for (; s.last_row - row >= R; row += R, sums += kSums) {
    if (s.is_last) ask_for_outputs<R, V>(outputs_in_y(p, s.vector, 1, row));
    ask_to_write(sums + kSums, kSums);
    ahead.start();
    Tiles::template add_unpacked<R, V>(p, s, row, ahead, sums);
    if (s.is_last) write_sums<R, V>(p, s.vector, row, sums);
  }
  if constexpr (R > 1) {
    if (row < s.last_row) add_segment<R - 1>(p, s, row, ahead, sums);
  }
}

/// V registers of output rows times activation rows [first, last), up to kSegmentRows: weights are unpacked once for
/// all, a segment of columns at a time, which stays in the L1 cache while the rows pass.
template <class Tiles, std::size_t R, std::size_t V>
void many_rows(Product const& p, std::size_t vector, std::size_t first, std::size_t last) noexcept {
  typename Tiles::template Unpacked<V> w[kSegmentUnits];
  alignas(kAlignment) float sums[(kSegmentRows + R) * V * kLanes];  // the last R are only asked for
  std::fill_n(sums, (last - first) * V * kLanes, 0.0F);
  std::byte const* const panel = p.w.data + p.w.panel_bytes * (vector / kVectors);
  std::size_t const units = Tiles::steps(p.w);
  std::size_t const unit_bytes = p.w.panel_bytes / units;
  for (std::size_t k = 0; k < units; k += kSegmentUnits) {
    std::size_t const n = std::min(kSegmentUnits, units - k);
    Tiles::template unpack<V>(p.w, vector, k, n, w);
    bool const is_last = k + n == units;
    std::byte const* const next = is_last ? panel + kPanels<V> * p.w.panel_bytes : panel + (k + n) * unit_bytes;
    std::size_t const steps = div_ceil(last - first, R) * n;
    WeightsAhead<kPanels<V>, Cache::kL2> ahead(next, kSegmentUnits * unit_bytes, p.w.panel_bytes, steps, p.core);
    add_segment<R>(p, Segment<Tiles, V>{w, k, n, is_last, vector, first, last}, first, ahead, sums);
  }
}

template <class Tiles, std::size_t R, std::size_t V>
void some_lanes(Product const& p, std::size_t vector, std::size_t first, std::size_t last) noexcept {
  if (vector * kLanes >= p.w.rows) return;  // nothing but padding
  if constexpr (requires { Tiles::rows_to_unpack(p.core); }) {
    if (last - first >= Tiles::rows_to_unpack(p.core)) {
      for (; first < last; first += kSegmentRows) {
        many_rows<Tiles, R, V>(p, vector, first, std::min(last, first + kSegmentRows));
      }
      return;
    }
  }
  std::size_t const bytes = p.w.panel_bytes * V / kVectors;
  std::byte const* const after = p.w.data + p.w.panel_bytes * vector / kVectors + bytes;
  TileAhead ahead(after, bytes, 0, tiles_that_ask<R>(last - first) * Tiles::steps(p.w), p.core);
  some_rows<Tiles, R, V>(p, vector, first, last, ahead);
}

/// Registers [vector, end), whole panels, of output rows: V at a time, the rest in halves of that.
template <class Tiles, std::size_t R, std::size_t V>
void all_lanes(Product const& p, std::size_t vector, std::size_t end, std::size_t first, std::size_t last) noexcept {
  for (; end - vector >= V; vector += V) some_lanes<Tiles, R, V>(p, vector, first, last);
  if constexpr (V > std::min(kVectors, Tiles::kWide)) {
    if (vector < end) all_lanes<Tiles, R, V / 2>(p, vector, end, first, last);
  }
}

/// R rows times V registers, where these are all rows: in one tile, inlined into a loop over panels; or, of more than
/// kRows, in tiles of which later ones find the panels in a cache.
template <class Tiles, std::size_t R, std::size_t V, dot::Ahead kAhead>
HWY_INLINE void all_rows(Product const& p, std::size_t vector, std::size_t panel_step, Outputs const& out) noexcept {
  TileAhead none;
  if constexpr (R <= Tiles::kRows) {
    Tiles::template inlined_tile<R, V, kAhead>(p, vector, panel_step, 0, none, out);
  } else {
    constexpr std::size_t kFirst = Tiles::kRows;
    static_assert(R <= 2 * kFirst);
    Tiles::template tile<kFirst, V, kAhead>(p, vector, panel_step, 0, none, out);
    Tiles::template tile<R - kFirst, V, dot::Ahead{}>(p, vector, panel_step, kFirst, none, out.from_row(kFirst));
  }
}

/// R rows times `length` panels of each of kStreams.panels streams, the first from `panel` on. Where sums go to y tile
/// by tile, y is as many streams more, and the core follows those of the weights less well (Zen 4, one row, eight
/// streams of Q4_0: 0.87 times as fast as one, not 1.03). So they wait side by side, until kTiles tiles are done (one
/// row, Zen 4: 32 tiles 1.02 times as fast as 8; Zen 5: 1.0).
template <class Tiles, std::size_t R, dot::Streams kStreams>
void collect_streams(Product const& p, std::size_t panel, std::size_t length) noexcept {
  constexpr std::size_t kTiles = std::max<std::size_t>(8, 32 / R);
  constexpr std::size_t kSums = R * kPanelRows;  // of a panel
  alignas(kAlignment) float sums[kTiles][kStreams.panels * kSums];
  for (std::size_t first = 0; first < length; first += kTiles) {
    std::size_t const n = std::min(kTiles, length - first);
    for (std::size_t i = 0; i < n; ++i) {
      std::size_t const vector = (panel + first + i) * kVectors;
      all_rows<Tiles, R, kStreams.panels * kVectors, kStreams.ahead>(p, vector, length,
                                                                     {sums[i], kPanelRows, kSums, Epilogue::kStore});
    }
    for (std::size_t s = 0; s < kStreams.panels; ++s) {
      for (std::size_t i = 0; i < n; ++i) {
        std::size_t const vector = (panel + s * length + first + i) * kVectors;
        write_sums<R, kVectors>(p, vector, 0, sums[i] + s * kSums);
      }
    }
  }
}

/// The same, whether sums wait or not.
template <class Tiles, std::size_t R, dot::Streams kStreams>
void run_streams(Product const& p, std::size_t panel, std::size_t length) noexcept {
  if constexpr (kStreams.collects) {
    collect_streams<Tiles, R, kStreams>(p, panel, length);
  } else {
    TileAhead none;
    for (std::size_t i = 0; i < length; ++i) {
      one_tile<Tiles, R, kStreams.panels * kVectors, kStreams.ahead>(p, (panel + i) * kVectors, length, 0, none);
    }
  }
}

/// Panels [panel, end) times R rows, all there are: several panels at a time, each of another stream through memory.
template <class Tiles, std::size_t R, dot::Streams kStreams>
void stream_panels(Product const& p, std::size_t panel, std::size_t end) noexcept {
  while (end - panel >= kStreams.panels) {
    std::size_t const length = std::min((end - panel) / kStreams.panels, dot::kStreamPanels);
    run_streams<Tiles, R, kStreams>(p, panel, length);
    panel += kStreams.panels * length;
  }
  constexpr dot::Streams kRest{1, kStreams.ahead, kStreams.collects};
  if (panel < end) run_streams<Tiles, R, kRest>(p, panel, end - panel);
}

/// R rows that are all there are as streams, where Tiles has them for so many; else false.
template <class Tiles, std::size_t R, Core kCore>
bool multiply_as_streams(Product const& p, std::size_t first_panel, std::size_t last_panel) noexcept {
  constexpr dot::Streams kStreams = kStreamsOf<Tiles, R, kCore>;
  constexpr dot::Streams kCrowded = kCrowdedStreamsOf<Tiles, R, kCore>;
  if constexpr (kStreams.panels != 0) {
    if (p.y.rows != R) return false;
    if constexpr (kCrowded != kStreams) {
      if (R * Tiles::row_bytes(p) + p.w.panel_bytes > dot::kCrowdedBytes) {
        stream_panels<Tiles, R, kCrowded>(p, first_panel, last_panel);
        return true;
      }
    }
    stream_panels<Tiles, R, kStreams>(p, first_panel, last_panel);
    return true;
  }
  return false;
}

/// R rows or more that are all there are as streams, where Tiles has them for so many; else false.
template <class Tiles, Core kCore, std::size_t R = 1>
bool multiply_few(Product const& p, std::size_t first_panel, std::size_t last_panel) noexcept {
  if constexpr (kVectors > Tiles::kWide || R > dot::kStreamRows) {
    return false;
  } else {
    return multiply_as_streams<Tiles, R, kCore>(p, first_panel, last_panel) ||
           multiply_few<Tiles, kCore, R + 1>(p, first_panel, last_panel);
  }
}

template <class Tiles>
void multiply_many(Product const& p, std::size_t first_panel, std::size_t last_panel) noexcept {
  std::size_t const vector = first_panel * kVectors;
  std::size_t const end = last_panel * kVectors;
  // Of activations, for callers that cut none themselves.
  constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
  constexpr std::size_t kLeastRows = requires { Tiles::rows_to_unpack(p.core); } ? kSegmentRows : Tiles::kRows;
  std::size_t const chunk = round_up(std::max(kLeastRows, div_ceil(kChunkBytes, Tiles::row_bytes(p))), Tiles::kRows);
  for (std::size_t row = 0; row < p.y.rows; row += chunk) {
    all_lanes<Tiles, Tiles::kRows, Tiles::kWide>(p, vector, end, row, std::min(row + chunk, p.y.rows));
  }
}

template <class Tiles, Core kCore>
void multiply(Product const& p, std::size_t first_panel, std::size_t last_panel) noexcept {
  if (!multiply_few<Tiles, kCore>(p, first_panel, last_panel)) multiply_many<Tiles>(p, first_panel, last_panel);
}

}  // namespace tiles

/// See KernelTable::matmul.
template <Core kCore>
void matmul(PackedView const& w, std::size_t first_panel, std::size_t last_panel, Activations const& x,
            MatrixView<float> y, Epilogue epilogue) noexcept {
  tiles::Product const p{w, x, y, epilogue, kCore};
  switch (w.format) {
    case Format::kF32: return tiles::multiply<tiles::FloatTiles<quant::F32>, kCore>(p, first_panel, last_panel);
    case Format::kF16: return tiles::multiply<tiles::FloatTiles<quant::F16>, kCore>(p, first_panel, last_panel);
    case Format::kBF16: return tiles::multiply<tiles::FloatTiles<quant::BF16>, kCore>(p, first_panel, last_panel);
    case Format::kQ8_0:
      return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ8_0>, kCore>(p, first_panel, last_panel);
    case Format::kQ4_0:
      return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ4_0>, kCore>(p, first_panel, last_panel);
    case Format::kQ4_K:
      return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ4_K>, kCore>(p, first_panel, last_panel);
    case Format::kQ6_K:
      return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ6_K>, kCore>(p, first_panel, last_panel);
  }
}

#if LAMINA_PASS_VNNI
/// KernelTable::matmul for Numerics::Fast. The CPU must have avx512_bf16.
template <Core kCore>
void matmul_bf16(PackedView const& w, std::size_t first_panel, std::size_t last_panel, Activations const& x,
                 MatrixView<float> y, Epilogue epilogue) noexcept {
  tiles::Product const p{w, x, y, epilogue, kCore};
  switch (w.format) {
    case Format::kF16: return tiles::multiply<tiles::Bf16Tiles<quant::F16>, kCore>(p, first_panel, last_panel);
    case Format::kBF16: return tiles::multiply<tiles::Bf16Tiles<quant::BF16>, kCore>(p, first_panel, last_panel);
    default: return matmul<kCore>(w, first_panel, last_panel, x, y, epilogue);
  }
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_PRODUCT_INL_HPP
