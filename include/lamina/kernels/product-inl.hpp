// Matrix products: panels of 16 rows times tiles of activation rows, in the order that the numeric contract fixes.
//
// A panel stays in the L1 or L2 cache while the tiles of a chunk of rows pass; the chunk stays in the L2 cache while
// the panels pass.

#if defined(LAMINA_KERNELS_PRODUCT_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_PRODUCT_INL_HPP
#undef LAMINA_KERNELS_PRODUCT_INL_HPP
#else
#define LAMINA_KERNELS_PRODUCT_INL_HPP
#endif

#include "lamina/kernels/bf16_tiles-inl.hpp"
#include "lamina/kernels/float_tiles-inl.hpp"
#include "lamina/kernels/quantized_tiles-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

/// n sums, whole registers, to y.
template <std::size_t n>
HWY_INLINE void finish(float const* sums, Epilogue epilogue, float* y) {
  FloatTag const tag;
  LAMINA_UNROLL
  for (std::size_t i = 0; i < n; i += kLanes) {
    Floats const sum = hn::LoadU(tag, sums + i);
    hn::StoreU(epilogue == Epilogue::kAdd ? hn::Add(hn::LoadU(tag, y + i), sum) : sum, tag, y + i);
  }
}

/// What a tile of several rows will write, asked for before it computes: rows of y are far apart, and a store that
/// misses the caches holds up those of the next tile (Zen 5, 8 rows whose sums are in memory: 5 to 10 %).
template <std::size_t R, std::size_t V>
HWY_INLINE void ask_for_outputs(Product const& p, std::size_t vector, std::size_t first_row) {
  for (std::size_t r = 0; r < R; ++r) {
    auto const* y = reinterpret_cast<char const*>(p.y.row(first_row + r).data() + vector * kLanes);
    for (std::size_t i = 0; i < V * kLanes * sizeof(float); i += kAlignment) __builtin_prefetch(y + i, 1);
  }
}

/// Computes a tile and writes it to y. See Lanes for panel_step.
template <class Tiles, std::size_t R, std::size_t V>
void one_tile(Product const& p, std::size_t vector, std::size_t panel_step, std::size_t first_row,
              WeightsAhead& ahead) noexcept {
  constexpr std::size_t kWidth = std::min(V, kVectors) * kLanes;  // in one panel
  alignas(kAlignment) float out[R * V * kLanes];
  if constexpr (R >= 4) ask_for_outputs<R, V>(p, vector, first_row);
  ahead.start();
  Tiles::template tile<R, V>(p, vector, panel_step, first_row, ahead, out);
  float const* part = out;
  for (std::size_t r = 0; r < R; ++r) {
    std::size_t column = vector * kLanes;
    for (std::size_t i = 0; i < V * kLanes / kWidth; ++i, part += kWidth, column += panel_step * kPanelRows) {
      std::size_t const n = std::min(p.w.rows - column, kWidth);  // the rest is padding
      float* const y = p.y.row(first_row + r).data() + column;
      if (n == kWidth) {
        finish<kWidth>(part, p.epilogue, y);
      } else {
        for (std::size_t j = 0; j < n; ++j) y[j] = p.epilogue == Epilogue::kAdd ? y[j] + part[j] : part[j];
      }
    }
  }
}

/// V registers of output rows times activation rows [first, last): R at a time, the rest in smaller tiles.
template <class Tiles, std::size_t R, std::size_t V>
void some_rows(Product const& p, std::size_t vector, std::size_t first, std::size_t last,
               WeightsAhead& ahead) noexcept {
  for (; last - first >= R; first += R) one_tile<Tiles, R, V>(p, vector, 1, first, ahead);
  if constexpr (R > 1) {
    if (first < last) some_rows<Tiles, R / 2, V>(p, vector, first, last, ahead);
  }
}

template <class Tiles, std::size_t R, std::size_t V>
void some_lanes(Product const& p, std::size_t vector, std::size_t first, std::size_t last) noexcept {
  if (vector * kLanes >= p.w.rows) return;  // nothing but padding
  std::size_t const bytes = p.w.panel_bytes * V / kVectors;
  std::byte const* const after = p.w.data + p.w.panel_bytes * vector / kVectors + bytes;
  WeightsAhead ahead(after, bytes, div_ceil(last - first, R) * Tiles::steps(p.w));
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

/// Panels [panel, end) times R rows, all there are: kStreams panels at a time, each of another stream through memory.
template <class Tiles, std::size_t R, std::size_t kStreams>
void stream_panels(Product const& p, std::size_t panel, std::size_t end) noexcept {
  WeightsAhead ahead;
  while (end - panel >= kStreams) {
    std::size_t const length = std::min((end - panel) / kStreams, dot::kStreamPanels);
    for (std::size_t i = 0; i < length; ++i) {
      one_tile<Tiles, R, kStreams * kVectors>(p, (panel + i) * kVectors, length, 0, ahead);
    }
    panel += kStreams * length;
  }
  for (; panel < end; ++panel) one_tile<Tiles, R, kVectors>(p, panel * kVectors, 1, 0, ahead);
}

template <class Tiles>
void multiply(Product const& p, std::size_t first_panel, std::size_t last_panel) noexcept {
  if constexpr (kVectors <= Tiles::kWide) {
    if (p.y.rows == 1) return stream_panels<Tiles, 1, Tiles::kStreams>(p, first_panel, last_panel);
    if (p.y.rows == 2) return stream_panels<Tiles, 2, dot::kStreamsOfTwoRows>(p, first_panel, last_panel);
    if constexpr (Tiles::kStreamAhead.size() == 4) {
      if (p.y.rows == 4) return stream_panels<Tiles, 4, 2>(p, first_panel, last_panel);
    }
  }
  std::size_t const vector = first_panel * kVectors;
  std::size_t const end = last_panel * kVectors;
  constexpr std::size_t kChunkBytes = std::size_t{1} << 20;  // of activations, for callers that cut none themselves
  std::size_t const chunk = round_up(div_ceil(kChunkBytes, Tiles::row_bytes(p)), Tiles::kRows);
  for (std::size_t row = 0; row < p.y.rows; row += chunk) {
    all_lanes<Tiles, Tiles::kRows, Tiles::kWide>(p, vector, end, row, std::min(row + chunk, p.y.rows));
  }
}

}  // namespace tiles

/// See KernelTable::matmul.
inline void matmul(PackedView const& w, std::size_t first_panel, std::size_t last_panel, Activations const& x,
                   MatrixView<float> y, Epilogue epilogue) noexcept {
  tiles::Product const p{w, x, y, epilogue};
  switch (w.format) {
    case Format::kF32: return tiles::multiply<tiles::FloatTiles<quant::F32>>(p, first_panel, last_panel);
    case Format::kF16: return tiles::multiply<tiles::FloatTiles<quant::F16>>(p, first_panel, last_panel);
    case Format::kBF16: return tiles::multiply<tiles::FloatTiles<quant::BF16>>(p, first_panel, last_panel);
    case Format::kQ8_0: return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ8_0>>(p, first_panel, last_panel);
    case Format::kQ4_0: return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ4_0>>(p, first_panel, last_panel);
    case Format::kQ4_K: return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ4_K>>(p, first_panel, last_panel);
    case Format::kQ6_K: return tiles::multiply<tiles::QuantizedTiles<tiles::StepsQ6_K>>(p, first_panel, last_panel);
  }
}

#if LAMINA_PASS_VNNI
/// KernelTable::matmul for Numerics::Fast. The CPU must have avx512_bf16.
inline void matmul_bf16(PackedView const& w, std::size_t first_panel, std::size_t last_panel, Activations const& x,
                        MatrixView<float> y, Epilogue epilogue) noexcept {
  tiles::Product const p{w, x, y, epilogue};
  switch (w.format) {
    case Format::kF16: return tiles::multiply<tiles::Bf16Tiles<quant::F16>>(p, first_panel, last_panel);
    case Format::kBF16: return tiles::multiply<tiles::Bf16Tiles<quant::BF16>>(p, first_panel, last_panel);
    default: return matmul(w, first_panel, last_panel, x, y, epilogue);
  }
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_PRODUCT_INL_HPP
