// What the tiles of a product have in common: the weights' lanes in memory, and what is asked for before it is read.
// Sums are in sums-inl.hpp.
//
// A tile is V registers of output rows times R rows of activations. Its weights are loaded and unpacked once for the R
// rows, each activation is broadcast once for the V registers, and a lane is an output row, so there are no sums across
// lanes. A kind of tiles is a struct with
//   kWide, kRows            V and R of its largest tile
//   kStreams                by number of rows: see dot::Streams; kStreamsOfZen4: the same for Core::kZen4, and
//                           kCrowdedStreamsOfZen4 beyond dot::kCrowdedBytes
//   row_bytes(p), steps(w)  bytes of a row of activations; how often a tile asks for weights ahead
//   tile<R, V, kAhead>(p, vector, panel_step, first_row, ahead, out)   out: Outputs; kAhead: see ask()
//                           where kAsksForPanels, it ends with ahead.resume(), or later tiles would ask again
//   inlined_tile<...>(...)  the same, where sums of streams wait (dot::Streams::collects)
// and, where weights are better unpacked once for many rows than by each tile,
//   Unpacked<V>              a unit of columns of V registers, which steps(w) counts
//   rows_to_unpack(core)     the rows from which that pays
//   unpack<V>(w, vector, first, n, out)                        out: Unpacked<V>[n]
//   activations(p, row, unit)                                  where they lie
//   add_unpacked<R, V>(p, segment, first_row, ahead, sums)     sums: [R][V * kLanes]
// quantized_tiles-inl.hpp, float_tiles-inl.hpp and bf16_tiles-inl.hpp have them, product-inl.hpp runs them.

#if defined(LAMINA_KERNELS_TILES_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_TILES_INL_HPP
#undef LAMINA_KERNELS_TILES_INL_HPP
#else
#define LAMINA_KERNELS_TILES_INL_HPP
#endif

#include "lamina/kernels/dot-inl.hpp"
#include "lamina/kernels/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {
namespace hn = hwy::HWY_NAMESPACE;
using dot::Cache;
using dot::Floats;
using dot::FloatTag;
using dot::Ints;
using dot::IntTag;
using dot::kLanes;
using dot::kVectors;

/// The arguments of one product.
struct Product {
  PackedView const& w;
  Activations const& x;
  MatrixView<float> y;
  Epilogue epilogue;
  Core core;  // for what needs no code of its own
};

/// As __builtin_prefetch has it.
template <Cache kTo>
inline constexpr int kLocality = kTo == Cache::kL1 ? 3 : 2;

/// Weights that later tiles will read, of kPanels panels side by side, asked for into a cache a few lines at a time
/// while a tile computes, so that they travel at the pace at which they will be needed.
template <std::size_t kPanels, Cache kTo>
class WeightsAhead {
 public:
  WeightsAhead() = default;
  /// `bytes` of each panel, `stride` bytes apart, from `at` on, in `steps` steps of tiles, by a core of that kind.
  HWY_INLINE WeightsAhead(std::byte const* at, std::size_t bytes, std::size_t stride, std::size_t steps, Core core)
      : at_(at), end_(at + bytes), stride_(stride), lines_(div_ceil(bytes / kAlignment, steps)), core_(core) {}

  /// Before a tile: once all is asked for, nothing more is.
  HWY_INLINE void start() {
    if (at_ >= end_) lines_ = 0;
  }
  /// Where its copy has come to. All of it assigned, GCC sends a copy through memory, where a load of it all waits for
  /// a store of its first part to retire.
  HWY_INLINE void resume(WeightsAhead const& copy) { at_ = copy.at_; }
  HWY_INLINE void fetch() {
    if constexpr (kTo != Cache::kByCore) {
      fetch_lines<kTo>();
    } else if (core_ == Core::kZen4) {
      fetch_lines<Cache::kL2>();
    } else {
      fetch_lines<Cache::kL1>();
    }
  }

 private:
  template <Cache kInto>
  HWY_INLINE void fetch_lines() {
    for (std::size_t i = 0; i < lines_; ++i, at_ += kAlignment) {
      LAMINA_UNROLL
      for (std::size_t p = 0; p < kPanels; ++p) __builtin_prefetch(at_ + p * stride_, 0, kLocality<kInto>);
    }
  }

  std::byte const* at_ = nullptr;
  std::byte const* end_ = nullptr;
  std::size_t stride_ = 0;
  std::size_t lines_ = 0;  // at a time and of each panel
  struct AnyCore {
    HWY_INLINE explicit AnyCore(Core /*core*/ = Core::kAny) {}
  };
  /// Nothing where it does not count: F32 by AVX2 took 3 to 9 % more instructions with it, when tiles still copied all
  /// of this back.
  [[no_unique_address]] std::conditional_t<kTo == Cache::kByCore, Core, AnyCore> core_{};
};

/// What tiles ask for that unpack for themselves. Into the L1 cache weights are in the way of what Zen 4 reads there,
/// two threads, by 2,048 and 8,192 columns: 8 rows of Q4_0 1.17, Q4_K 1.06, Q6_K 1.3, Q8_0 1.75 times as fast into L2,
/// 4 of F16 and BF16 1.4, 16 of Q8_0 1.25; from 24 on 1.0.
#if LAMINA_PASS_VNNI
using TileAhead = WeightsAhead<1, Cache::kByCore>;
#else
using TileAhead = WeightsAhead<1, Cache::kL1>;
#endif

/// Where V registers of output rows lie, from register `vector` of the matrix on: in one panel, or in whole panels of
/// which every `panel_step`th counts.
template <WeightFormat F, std::size_t V>
struct Lanes {
  static_assert(V % kVectors == 0 || kVectors % V == 0);
  typename F::PanelBlock const* panel;
  std::size_t stride;  // blocks from one panel to the next
  std::size_t first;

  HWY_INLINE Lanes(PackedView const& w, std::size_t vector, std::size_t panel_step)
      : panel(detail::panel_of<F>(w, vector / kVectors)),
        stride(panel_step * (w.cols / F::kBlock)),
        first(V < kVectors ? vector % kVectors * kLanes : 0) {}

  HWY_INLINE typename F::PanelBlock const& block(std::size_t v, std::size_t b) const {
    return panel[v / kVectors * stride + b];
  }
  /// Asks for kBytes of each panel from `offset` on, which may lie beyond its end.
  template <std::size_t kBytes, Cache kTo>
  HWY_INLINE void prefetch(std::size_t offset) const {
    for (std::size_t p = 0; p < std::max<std::size_t>(V / kVectors, 1); ++p) {
      auto const* at = reinterpret_cast<char const*>(panel + p * stride) + offset;
      for (std::size_t i = 0; i < kBytes; i += kAlignment) __builtin_prefetch(at + i, 0, kLocality<kTo>);
    }
  }
  /// Where a page begins within a panel's last kBytes up to `offset`, or there, asks for the first line of the page
  /// that lies `pages` bytes, whole pages, beyond it.
  template <std::size_t kBytes>
  HWY_INLINE void prefetch_page(std::size_t offset, std::size_t pages) const {
    for (std::size_t p = 0; p < std::max<std::size_t>(V / kVectors, 1); ++p) {
      auto const* at = reinterpret_cast<char const*>(panel + p * stride) + offset;
      std::size_t const in_page = reinterpret_cast<std::uintptr_t>(at) % kPageBytes;
      if (in_page < kBytes) __builtin_prefetch(at - in_page + pages, 0, kLocality<Cache::kL2>);
    }
  }
  HWY_INLINE std::size_t lane(std::size_t v) const { return first + v % kVectors * kLanes; }
};

/// Whether a tile of R rows asks for the next panels. One or two rows mostly follow others, and find the panel in a
/// cache: they are done before much could travel.
inline constexpr std::size_t kRowsToAsk = 3;
template <std::size_t R, dot::Ahead kAhead>
inline constexpr bool kAsksForPanels = kAhead == dot::Ahead{} && R >= kRowsToAsk;

/// What a tile of R rows asks for while it computes with kBytes of each panel from `offset` on: what lies ahead in its
/// streams, if it has any that ask; else, of more than two rows, the next panels, which travel while several tiles
/// pass.
template <std::size_t R, dot::Ahead kAhead, std::size_t kBytes, class L>
HWY_INLINE void ask(L const& lanes, TileAhead& ahead, std::size_t offset) {
  if constexpr (kAhead.pages != 0) lanes.template prefetch_page<kBytes>(offset, kAhead.pages);
  if constexpr (kAhead.bytes != 0) {
    lanes.template prefetch<kBytes, kAhead.to>(offset + kAhead.bytes);
  } else if constexpr (kAsksForPanels<R, kAhead>) {
    ahead.fetch();
  }
}

/// kLanes binary16 numbers as float.
HWY_INLINE Floats load_half(Half const* p) { return load_float(FloatTag(), p); }

/// kLanes bfloat16 numbers as float.
HWY_INLINE Floats load_bfloat16(Bfloat16 const* p) {
  hn::RebindToUnsigned<FloatTag> const tag32;
  hn::Rebind<std::uint16_t, FloatTag> const tag16;
  auto const bits = hn::PromoteTo(tag32, hn::LoadU(tag16, reinterpret_cast<std::uint16_t const*>(p)));
  return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(bits));
}

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_TILES_INL_HPP
