// Tiles of BF16 and F16 weights by vdpbf16ps, for Numerics::Fast: two columns at a time, activations rounded to
// bfloat16. The instruction flushes denormals and rounds as no other target does, so the results are not those of the
// contract; they still don't depend on the batch, the chunks or the threads.

#if defined(LAMINA_KERNELS_BF16_TILES_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_BF16_TILES_INL_HPP
#undef LAMINA_KERNELS_BF16_TILES_INL_HPP
#else
#define LAMINA_KERNELS_BF16_TILES_INL_HPP
#endif

#include "lamina/kernels/sums-inl.hpp"

#if LAMINA_PASS_VNNI

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

#define LAMINA_BF16 __attribute__((target(HWY_TARGET_STR ",avx512bf16")))

/// Tiles as FloatTiles, for F = BF16 or F16.
template <WeightFormat F>
struct Bf16Tiles {
  static constexpr std::size_t kWide = dot::kTileVectors;
  static constexpr std::size_t kRows = 8;  // 16 sums: vdpbf16ps takes 6 cycles, two start in each
  static constexpr std::size_t kColumns = 32;
  /// Zen 5, two threads, products alone: one row and two 1.1 to 1.3 times as fast as by four streams with 1 and 1.5 KiB
  /// ahead, three to eight 1.17 to 1.5 times as fast as cut as for many. Sums do not wait: collect_streams inlines
  /// tiles, which a compiler refuses in code without AVX512-BF16.
  static constexpr dot::Streams kPaged{2, dot::kPagedStreams.ahead};
  static constexpr dot::StreamsByRows kStreams = dot::streams_of(kPaged, kPaged);
  static constexpr auto kStreamsOfZen4 = dot::kFloatStreamsOfZen4;
  static constexpr auto kCrowdedStreamsOfZen4 = kStreamsOfZen4;

  static std::size_t row_bytes(Product const& p) { return p.w.cols * sizeof(float); }
  static std::size_t steps(PackedView const& w) { return div_ceil(w.cols, kColumns); }

  template <std::size_t R, std::size_t V, dot::Ahead kAhead>
  LAMINA_BF16 static HWY_NOINLINE void tile(Product const& p, std::size_t vector, std::size_t panel_step,
                                            std::size_t first_row, TileAhead& next, Outputs const& out) noexcept {
    TileAhead ahead = next;  // a copy stays in registers
    Lanes<F, V> const lanes(p.w, vector, panel_step);
    float const* const x = p.x.f32.data + first_row * p.x.f32.stride;
    alignas(kAlignment) std::int32_t pairs[R][kColumns / 2];  // of columns of each row, as bfloat16
    Floats acc[R][V];
    clear(acc);
    for (std::size_t k = 0; k < p.w.cols; k += kColumns) {
      ask<R, kAhead, kColumns * sizeof(typename F::PanelBlock)>(lanes, ahead, k * sizeof(typename F::PanelBlock));
      std::size_t const n = std::min(kColumns, p.w.cols - k);
      for (std::size_t r = 0; r < R; ++r) _mm512_store_si512(pairs[r], round(x + r * p.x.f32.stride + k, n));
      for (std::size_t i = 0; i + 2 <= n; i += 2) add_columns<2>(lanes, k + i, pairs, i / 2, acc);
      if (n % 2 == 1) add_columns<1>(lanes, k + n - 1, pairs, n / 2, acc);
    }
    store(acc, out);
    if constexpr (kAsksForPanels<R, kAhead>) next.resume(ahead);
  }

 private:
  /// 32 columns of activations as bfloat16; beyond the first n, zeros.
  LAMINA_BF16 static HWY_INLINE __m512i round(float const* x, std::size_t n) {
    auto const mask = static_cast<std::uint32_t>((std::uint64_t{1} << n) - 1);
    __m512 const low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x);
    __m512 const high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + std::min(n, kLanes));
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
  }

  /// Adds columns k and k + 1, or the last one alone, times pair number `pair` of each row.
  template <std::size_t kCount, std::size_t R, std::size_t V>
  LAMINA_BF16 static HWY_INLINE void add_columns(Lanes<F, V> const& lanes, std::size_t k,
                                                 std::int32_t const (&pairs)[R][kColumns / 2], std::size_t pair,
                                                 Floats (&acc)[R][V]) {
    __m512i w[V];
    LAMINA_UNROLL
    for (std::size_t v = 0; v < V; ++v) w[v] = load<kCount>(lanes.block(v, k).w);
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      __m512i const two = _mm512_set1_epi32(pairs[r][pair]);
      LAMINA_UNROLL
      for (std::size_t v = 0; v < V; ++v)
        acc[r][v].raw = _mm512_dpbf16_ps(acc[r][v].raw, (__m512bh)w[v], (__m512bh)two);
    }
  }

  /// Two columns of 16 rows, in each lane both of a row; or one, and zeros.
  template <std::size_t kCount>
  LAMINA_BF16 static HWY_INLINE __m512i load(Bfloat16 const* w) {
    if constexpr (kCount == 2) return interleave(_mm512_loadu_si512(w));
    return interleave(_mm512_maskz_loadu_epi16(0xffff, w));
  }
  template <std::size_t kCount>
  LAMINA_BF16 static HWY_INLINE __m512i load(Half const* w) {
    __m512 second = _mm512_setzero_ps();
    if constexpr (kCount == 2) second = load_half(w + kPanelRows).raw;
    return interleave((__m512i)_mm512_cvtne2ps_pbh(second, load_half(w).raw));
  }
  static HWY_INLINE __m512i interleave(__m512i columns) {
    alignas(kAlignment) static constexpr std::int16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                                    21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                                    11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), columns);
  }
};

#undef LAMINA_BF16

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_PASS_VNNI

#endif  // LAMINA_KERNELS_BF16_TILES_INL_HPP
