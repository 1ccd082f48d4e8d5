// Tiles of float weights, by FMA in the order of columns.

#if defined(LAMINA_KERNELS_FLOAT_TILES_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_FLOAT_TILES_INL_HPP
#undef LAMINA_KERNELS_FLOAT_TILES_INL_HPP
#else
#define LAMINA_KERNELS_FLOAT_TILES_INL_HPP
#endif

#include "lamina/kernels/sums-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

/// 2 * kLanes bfloat16 numbers as float: those of even place in w[0], of odd place in w[1].
HWY_INLINE void load_even_odd(Bfloat16 const* p, Floats* w) {
  hn::RebindToUnsigned<FloatTag> const tag;
  auto const both = hn::LoadU(tag, reinterpret_cast<std::uint32_t const*>(p));
  w[0] = hn::BitCast(FloatTag(), hn::ShiftLeft<16>(both));
  w[1] = hn::BitCast(FloatTag(), hn::And(both, hn::Set(tag, 0xffff0000U)));
}

/// Brings even and odd places back in order.
HWY_INLINE void interleave(Floats* w) {
  FloatTag const tag;
  Floats const lower = hn::InterleaveLower(tag, w[0], w[1]), upper = hn::InterleaveUpper(tag, w[0], w[1]);
  w[0] = hn::ConcatLowerLower(tag, upper, lower);
  w[1] = hn::ConcatUpperUpper(tag, upper, lower);
}

HWY_INLINE Floats load_column(quant::F32::PanelBlock const& column, std::size_t lane) {
  return hn::LoadU(FloatTag(), column.w + lane);
}
HWY_INLINE Floats load_column(quant::F16::PanelBlock const& column, std::size_t lane) {
  return load_half(column.w + lane);
}
HWY_INLINE Floats load_column(quant::BF16::PanelBlock const& column, std::size_t lane) {
  return load_bfloat16(column.w + lane);
}

/// Whether registers are loaded in pairs, lanes out of order until the end. With 32-byte registers vpmovzxwd is slow:
/// it crosses 16 bytes, which takes as long as 2.6 products (Zen 3: BF16 at 65 % of the FMA peak, F16 at 90 %).
template <WeightFormat F>
inline constexpr bool kInPairs = std::is_same_v<F, quant::BF16> && HWY_MAX_BYTES == 32;

template <WeightFormat F>
struct FloatTiles {
  static constexpr std::size_t kWide = dot::kTileVectors;
  /// With 6 rows AVX2 is faster from 32 rows on (F32, 512 rows: 1.1 times), but 4 and 8 rows lose a third.
  static constexpr std::size_t kRows = HWY_MAX_BYTES == 64 ? 8 : 4;
  static constexpr std::size_t kColumns = 8;  // between two prefetches
  static constexpr auto kStreams = dot::kStreamsOfFloats;
  static constexpr auto kStreamsOfZen4 = dot::kFloatStreamsOfZen4;
  static constexpr auto kCrowdedStreamsOfZen4 = kStreamsOfZen4;

  static std::size_t row_bytes(Product const& p) { return p.w.cols * sizeof(float); }
  static std::size_t steps(PackedView const& w) { return div_ceil(w.cols, kColumns); }

  template <std::size_t R, std::size_t V, dot::Ahead kAhead>
  static HWY_NOINLINE void tile(Product const& p, std::size_t vector, std::size_t panel_step, std::size_t first_row,
                                TileAhead& next, Outputs const& out) noexcept {
    inlined_tile<R, V, kAhead>(p, vector, panel_step, first_row, next, out);
  }
  template <std::size_t R, std::size_t V, dot::Ahead kAhead>
  static HWY_INLINE void inlined_tile(Product const& p, std::size_t vector, std::size_t panel_step,
                                      std::size_t first_row, TileAhead& next, Outputs const& out) noexcept {
    TileAhead ahead = next;  // a copy stays in registers
    Lanes<F, V> const lanes(p.w, vector, panel_step);
    float const* x = p.x.f32.data + first_row * p.x.f32.stride;
    std::size_t const stride = p.x.f32.stride;
    Floats acc[R][V];
    clear(acc);
    std::size_t k = 0;
    for (; k + kColumns <= p.w.cols; k += kColumns) {
      ask<R, kAhead, kColumns * sizeof(typename F::PanelBlock)>(lanes, ahead, k * sizeof(typename F::PanelBlock));
      for (std::size_t i = 0; i < kColumns; ++i) add_column(lanes, k + i, x, stride, acc);
    }
    for (; k < p.w.cols; ++k) add_column(lanes, k, x, stride, acc);
    if constexpr (kInPairs<F>) {
      LAMINA_UNROLL
      for (std::size_t r = 0; r < R; ++r) {
        LAMINA_UNROLL
        for (std::size_t v = 0; v < V; v += 2) interleave(acc[r] + v);
      }
    }
    store(acc, out);
    if constexpr (kAsksForPanels<R, kAhead>) next.resume(ahead);
  }

 private:
  template <std::size_t R, std::size_t V>
  static HWY_INLINE void add_column(Lanes<F, V> const& lanes, std::size_t k, float const* x, std::size_t stride,
                                    Floats (&acc)[R][V]) {
    Floats w[V];
    if constexpr (kInPairs<F>) {
      LAMINA_UNROLL
      for (std::size_t v = 0; v < V; v += 2) load_even_odd(lanes.block(v, k).w + lanes.lane(v), w + v);
    } else {
      LAMINA_UNROLL
      for (std::size_t v = 0; v < V; ++v) w[v] = load_column(lanes.block(v, k), lanes.lane(v));
    }
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      Floats const one = hn::Set(FloatTag(), x[r * stride + k]);
      LAMINA_UNROLL
      for (std::size_t v = 0; v < V; ++v) acc[r][v] = hn::MulAdd(w[v], one, acc[r][v]);
    }
  }
};

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_FLOAT_TILES_INL_HPP
