// Tiles of quantized weights times int8 activations.

#if defined(LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
#undef LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
#else
#define LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
#endif

#include "lamina/kernels/columns-inl.hpp"
#include "lamina/kernels/sums-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

template <class Steps>
struct QuantizedTiles {
  using Format = typename Steps::Format;
  static constexpr bool kPlain = Format::kBlock == kActivationBlock;  // no k-quant
  static constexpr bool kBytes = std::is_same_v<typename Steps::Dot, dot::Bytes>;

  static constexpr std::size_t kWide = dot::kTileVectors;
  static constexpr std::size_t kRows = kActivationRows;
  static constexpr auto kStreams = kBytes ? dot::kStreamsOfBytes : kPlain ? dot::kStreams : dot::kStreamsOfKQuants;
  static constexpr auto kStreamsOfZen4 = kPlain && !kBytes ? dot::kStreamsOfNibblesOfZen4 : dot::kStreamsOfZen4;
  static constexpr auto kCrowdedStreamsOfZen4 = kBytes   ? dot::kCrowdedStreamsOfBytesOfZen4
                                                : kPlain ? dot::kCrowdedStreamsOfNibblesOfZen4
                                                         : dot::kCrowdedStreamsOfZen4;

  static std::size_t row_bytes(Product const& p) { return QuantizedRows::row_bytes(p.w.cols); }
  static std::size_t steps(PackedView const& w) { return w.cols / kActivationBlock; }

  template <std::size_t R, std::size_t V, dot::Ahead kAhead>
  static HWY_NOINLINE void tile(Product const& p, std::size_t vector, std::size_t panel_step, std::size_t first_row,
                                TileAhead& next, Outputs const& out) noexcept {
    inlined_tile<R, V, kAhead>(p, vector, panel_step, first_row, next, out);
  }
  /// For a loop over tiles: what calls need lies between the reads of two of them.
  template <std::size_t R, std::size_t V, dot::Ahead kAhead>
  static HWY_INLINE void inlined_tile(Product const& p, std::size_t vector, std::size_t panel_step,
                                      std::size_t first_row, TileAhead& next, Outputs const& out) noexcept {
    TileAhead ahead = next;  // a copy stays in registers
    Lanes<Format, V> const lanes(p.w, vector, panel_step);
    Rows<R> x(p.x.q8, first_row, 0);
    std::size_t const blocks = p.w.cols / Format::kBlock;
    Floats sums[R][V];
    clear(sums);
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t part = 0; part < kParts; ++part) {
        ask<R, kAhead, kPartBytes>(lanes, ahead, b * sizeof(typename Format::PanelBlock) + part * kPartBytes);
        add_columns(PanelColumns<Steps, V>{lanes, b, part}, x, sums);
        x.advance();
      }
    }
    store(sums, out);
    if constexpr (kAsksForPanels<R, kAhead>) next.resume(ahead);
  }

  /// Weights that many tiles share: units of 32 columns.
  template <std::size_t V>
  using Unpacked = UnpackedColumns<Steps, V>;
  /// Rows from which that pays; the greatest number: never. Unpacking two panels takes as long as 2 rows do (Zen 5;
  /// Q6_K 2.5), and what vpdpbusd leaves of a cycle hides most of it in a tile's registers (prefill, tokens/s, unpacked
  /// once and by each tile: 32 rows of Q4_0 579 and 620, Q4_K 540 and 572, Q6_K 490 and 427; 48 rows of Q4_0 646 and
  /// 667, Q4_K 607 and 589; by AVX2 32 rows of Q4_0 302 and 294, Q6_K 206 and 171). Zen 4, whose stores of 64 bytes
  /// take two cycles, hides all of it where scales need no product of their own: 512 rows unpacked by each tile
  /// are 1.03 to 1.035 (Q4_0) and 1.01 to 1.055 (Q8_0) times as fast, Q4_K 0.96 to 0.98, Q6_K 0.84.
  static constexpr std::size_t rows_to_unpack(Core core) {
    if (core == Core::kZen4 && kPlain) return std::numeric_limits<std::size_t>::max();
    return dot::kStartsAnywhere && Format::kGroup == kActivationBlock ? 48 : 24;
  }

  /// Units [first, first + n) of V registers of output rows.
  template <std::size_t V>
  static HWY_NOINLINE void unpack(PackedView const& w, std::size_t vector, std::size_t first, std::size_t n,
                                  Unpacked<V>* out) noexcept {
    Lanes<Format, V> const lanes(w, vector, 1);
    for (std::size_t i = 0; i < n; ++i) {
      out[i].unpack(PanelColumns<Steps, V>{lanes, (first + i) / kParts, (first + i) % kParts});
    }
  }

  /// Where unit `unit` of the group that begins with row `row` lies.
  static std::byte const* activations(Product const& p, std::size_t row, std::size_t unit) {
    return reinterpret_cast<std::byte const*>(p.x.q8.template group<kRows>(row) + unit);
  }

  /// Adds the products of a segment's units to sums, and asks for what comes next: activations into the L1 cache, a
  /// few lines of weights into the L2 cache. sums: [R][V * kLanes]
  template <std::size_t R, std::size_t V, class Segment, class Ahead>
  static HWY_NOINLINE void add_unpacked(Product const& p, Segment const& segment, std::size_t first_row, Ahead& next,
                                        float* sums) noexcept {
    Ahead ahead = next;  // a copy stays in registers
    Rows<R> x(p.x.q8, first_row, segment.first);
    std::byte const* next_x = segment.activations_after(p, first_row + R);
    Floats acc[R][V];
    load(sums, acc);
    for (std::size_t i = 0; i < segment.n; ++i, next_x += sizeof(QuantizedBlock<R>)) {
      LAMINA_UNROLL
      for (std::size_t at = 0; at < sizeof(QuantizedBlock<R>); at += kAlignment) __builtin_prefetch(next_x + at);
      ahead.fetch();
      add_columns(segment.w[i], x, acc);
      x.advance();
    }
    store(acc, outputs_in_array<V>(sums));
    next.resume(ahead);
  }

 private:
  static constexpr std::size_t kParts = Format::kBlock / kActivationBlock;
  static constexpr std::size_t kPartBytes = sizeof(typename Format::PanelBlock) / kParts;
};

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
