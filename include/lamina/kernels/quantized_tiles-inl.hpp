// Tiles of quantized weights times int8 activations.

#if defined(LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
#undef LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
#else
#define LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
#endif

#include "lamina/kernels/tiles-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

/// The sums of a tile, R rows by V registers: in registers while they are few, else in `out` where they belong in the
/// end; then a tile's integer sums have the registers. out: [R][V * kLanes].
template <std::size_t R, std::size_t V>
class Sums {
 public:
  explicit HWY_INLINE Sums(float* out) : out_(out) {
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      LAMINA_UNROLL
      for (std::size_t v = 0; v < V; ++v) set(r, v, hn::Zero(FloatTag()));
    }
  }
  HWY_INLINE Floats get(std::size_t r, std::size_t v) const {
    if constexpr (kInMemory) {
      return hn::LoadU(FloatTag(), at(r, v));
    } else {
      return acc_[r][v];
    }
  }
  HWY_INLINE void set(std::size_t r, std::size_t v, Floats sum) {
    if constexpr (kInMemory) {
      hn::StoreU(sum, FloatTag(), at(r, v));
    } else {
      acc_[r][v] = sum;
    }
  }
  /// Between two groups: GCC 12 would take the sums into registers over the loop, and spill.
  HWY_INLINE void next() {
    if constexpr (kInMemory) __asm__ volatile("" ::: "memory");
  }
  HWY_INLINE void finish() {
    if constexpr (!kInMemory) store(acc_, out_);
  }

 private:
  static constexpr bool kInMemory = R * V > dot::kRegisterSums;
  HWY_INLINE float* at(std::size_t r, std::size_t v) const { return out_ + (r * V + v) * kLanes; }

  float* out_;
  Floats acc_[kInMemory ? 1 : R][kInMemory ? 1 : V];
};

/// kLanes bytes as float.
template <class Byte>
HWY_INLINE Floats load_small(Byte const* p) {
  hn::Rebind<Byte, FloatTag> const tag;
  return hn::ConvertTo(FloatTag(), hn::PromoteTo(IntTag(), hn::LoadU(tag, p)));
}

/// The low and the high halves of some bytes.
struct Halves {
  dot::Bytes8 low, high;
};
HWY_INLINE Halves load_halves(void const* p) {
  dot::ByteTag const tag;
  hn::Repartition<std::uint16_t, dot::ByteTag> const tag16;
  auto const mask = hn::Set(tag, std::uint8_t{15});
  auto const both = dot::load_bytes(p);
  auto const shifted = hn::BitCast(tag, hn::ShiftRight<4>(hn::BitCast(tag16, both)));
  return {hn::And(both, mask), hn::And(shifted, mask)};
}

/// d * scale of a group of a k-quant, for kLanes rows.
template <class Byte>
HWY_INLINE Floats scaled(Half const* d, Byte const* scale) {
  return hn::Mul(load_half(d), load_small(scale));
}

/// How one group of a quantized format's panel block is cut into steps: kRegisters registers of weights at a time, and
/// the column at which the 4 activations of each begin. What stands for a zero weight in the registers is kZero.
struct StepsQ8_0 {
  static constexpr std::size_t kTileRows = 4;
  using Format = quant::Q8_0;
  using Dot = dot::Bytes;
  static constexpr int kZero = 0;
  static constexpr std::size_t kSteps = 8;
  static constexpr std::size_t kRegisters = 1;
  static constexpr std::size_t column(std::size_t step, std::size_t) { return 4 * step; }

  static HWY_INLINE void load(Format::PanelBlock const& block, std::size_t, std::size_t step, std::size_t lane,
                              Dot::W* w) {
    w[0] = Dot::prepare(dot::load_bytes(block.q[step][lane]));
  }
  static HWY_INLINE Floats scale(Format::PanelBlock const& block, std::size_t, std::size_t lane) {
    return load_half(block.d + lane);
  }
};

/// Groups of 32 columns in halves of bytes.
struct NibbleSteps {
  static constexpr std::size_t kTileRows = 4;
  using Dot = dot::Nibbles;
  static constexpr std::size_t kSteps = 4;
  static constexpr std::size_t kRegisters = 2;
  static constexpr std::size_t column(std::size_t step, std::size_t i) { return 16 * i + 4 * step; }

  static HWY_INLINE void load(void const* both, Dot::W* w) {
    Halves const q = load_halves(both);
    w[0] = Dot::prepare(q.low);
    w[1] = Dot::prepare(q.high);
  }
};

struct StepsQ4_0 : NibbleSteps {
  using Format = quant::Q4_0;
  static constexpr int kZero = Format::kZero;

  static HWY_INLINE void load(Format::PanelBlock const& block, std::size_t, std::size_t step, std::size_t lane,
                              Dot::W* w) {
    NibbleSteps::load(block.q[step][lane], w);
  }
  static HWY_INLINE Floats scale(Format::PanelBlock const& block, std::size_t, std::size_t lane) {
    return load_half(block.d + lane);
  }
};

struct StepsQ4_K : NibbleSteps {
  using Format = quant::Q4_K;
  static constexpr int kZero = 0;

  static HWY_INLINE void load(Format::PanelBlock const& block, std::size_t group, std::size_t step, std::size_t lane,
                              Dot::W* w) {
    NibbleSteps::load(block.q[group][step][lane], w);
  }
  static HWY_INLINE Floats scale(Format::PanelBlock const& block, std::size_t group, std::size_t lane) {
    return scaled(block.d + lane, block.scale[group] + lane);
  }
  static HWY_INLINE Floats min(Format::PanelBlock const& block, std::size_t group, std::size_t lane) {
    return scaled(block.dmin + lane, block.min[group] + lane);
  }
};

struct StepsQ6_K {
  static constexpr std::size_t kTileRows = dot::kTileRowsOfSixBits;
  using Format = quant::Q6_K;
  using Dot = dot::SixBits;
  static constexpr int kZero = Format::kZero;
  static constexpr std::size_t kSteps = 2;
  static constexpr std::size_t kRegisters = 2;
  static constexpr std::size_t column(std::size_t step, std::size_t i) { return 8 * i + 4 * step; }

  static HWY_INLINE void load(Format::PanelBlock const& block, std::size_t group, std::size_t step, std::size_t lane,
                              Dot::W* w) {
    dot::ByteTag const tag;
    hn::Repartition<std::uint16_t, dot::ByteTag> const tag16;
    auto const mask = hn::Set(tag, std::uint8_t{0x30});
    Halves const q = load_halves(block.group[group].low[step][lane]);
    auto const high = hn::BitCast(tag16, dot::load_bytes_once(block.group[group].high[lane]));
    // Of columns 4k .. 4k + 3, k = step for the low half and step + 2 for the high one, bits 2k to bits 4.
    auto const first = step == 0 ? hn::ShiftLeft<4>(high) : hn::ShiftLeft<2>(high);
    auto const second = step == 0 ? high : hn::ShiftRight<2>(high);
    w[0] = Dot::prepare(hn::Or(q.low, hn::And(hn::BitCast(tag, first), mask)));
    w[1] = Dot::prepare(hn::Or(q.high, hn::And(hn::BitCast(tag, second), mask)));
  }
  static HWY_INLINE Floats scale(Format::PanelBlock const& block, std::size_t group, std::size_t lane) {
    return scaled(block.d + lane, block.scale[group] + lane);
  }
};

/// R rows of int8 activations on the way through their blocks: whole groups of QuantizedRows.
template <std::size_t R>
class Rows {
 public:
  HWY_INLINE Rows(QuantizedRows const& x, std::size_t first) {
    LAMINA_UNROLL
    for (std::size_t i = 0; i < kGroups; ++i) group_[i] = x.group<kEach>(first + i * kEach);
  }
  HWY_INLINE void advance() {
    LAMINA_UNROLL
    for (std::size_t i = 0; i < kGroups; ++i) ++group_[i];
  }
  /// Columns [column, column + 4) of row r.
  HWY_INLINE std::int8_t const* columns(std::size_t r, std::size_t column) const {
    return group_[r / kEach]->q[column / 4][r % kEach];
  }
  HWY_INLINE float scale(std::size_t r) const { return group_[r / kEach]->scale[r % kEach]; }
  HWY_INLINE float scaled_sum(std::size_t r) const { return group_[r / kEach]->scaled_sum[r % kEach]; }
  /// Of a group of kColumns columns, of which this is number i in the block.
  template <std::size_t kColumns>
  HWY_INLINE std::int32_t sum(std::size_t r, std::size_t i) const {
    static_assert(kColumns == kActivationBlock || kColumns == kActivationGroup);
    auto const& block = *group_[r / kEach];
    return kColumns == kActivationBlock ? block.sum[r % kEach] : block.half_sum[i][r % kEach];
  }

 private:
  static constexpr std::size_t kEach = std::min(R, kActivationRows);
  static constexpr std::size_t kGroups = R / kEach;
  static_assert(R == kGroups * kEach);

  QuantizedBlock<kEach> const* group_[kGroups];
};

template <class Steps>
struct QuantizedTiles {
  using Format = typename Steps::Format;
  using Dot = typename Steps::Dot;

  static constexpr std::size_t kWide = dot::kTileVectors;
  static constexpr std::size_t kRows = Steps::kTileRows;
  static constexpr std::size_t kStreams = dot::kStreamsOfOneRow;
  static constexpr auto kStreamAhead = dot::kStreamAhead;

  static std::size_t row_bytes(Product const& p) { return QuantizedRows::row_bytes(p.w.cols); }
  static std::size_t steps(PackedView const& w) { return w.cols / kActivationBlock; }

  /// out: [R][V * kLanes]
  template <std::size_t R, std::size_t V>
  static HWY_NOINLINE void tile(Product const& p, std::size_t vector, std::size_t panel_step, std::size_t first_row,
                                WeightsAhead& next, float* out) noexcept {
    WeightsAhead ahead = next;  // a copy stays in registers
    Lanes<Format, V> const lanes(p.w, vector, panel_step);
    Rows<R> x(p.x.q8, first_row);
    std::size_t const blocks = p.w.cols / Format::kBlock;
    Sums<R, V> sums(out);
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t i = 0; i < Format::kBlock / kActivationBlock; ++i) {
        ask<QuantizedTiles, R, kStepBytes>(lanes, ahead, b * sizeof(typename Format::PanelBlock) + i * kStepBytes);
        LAMINA_UNROLL
        for (std::size_t half = 0; half < kPerActivationBlock; ++half) {
          add_group<R>(lanes, x, {b, i * kPerActivationBlock + half, half}, sums);
        }
        x.advance();
      }
    }
    sums.finish();
    next = ahead;
  }

 private:
  /// A group of columns: of which block of weights, which one there, and which one in the block of activations.
  struct Group {
    std::size_t block, in_block, in_activations;
    [[nodiscard]] HWY_INLINE std::size_t column(std::size_t step, std::size_t i) const {
      return in_activations * Format::kGroup + Steps::column(step, i);
    }
  };
  static constexpr std::size_t kPerActivationBlock = kActivationBlock / Format::kGroup;
  static constexpr std::size_t kStepBytes = sizeof(typename Format::PanelBlock) * kActivationBlock / Format::kBlock;

  static constexpr bool kHasMin = HasMin<Format>;
  static constexpr int kOffset = Steps::kZero + Dot::kOffset;

  template <std::size_t V>
  static HWY_INLINE void load(Lanes<Format, V> const& lanes, std::size_t v, Group g, std::size_t step,
                              typename Dot::W* w) {
    Steps::load(lanes.block(v, g.block), g.in_block, step, lanes.lane(v), w);
  }

  /// The integer dot products of group g with registers v0 .. v0 + G - 1, exact.
  template <std::size_t R, std::size_t V, std::size_t G>
  static HWY_INLINE void multiply_group(Lanes<Format, V> const& lanes, std::size_t v0, Rows<R> const& x, Group g,
                                        Ints (&dots)[R][G]) {
    constexpr std::size_t kChains = R * G <= dot::kFewSums ? 2 : 1;
    typename Dot::Acc acc[kChains][R][G];
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      auto const start = start_of(x, r, g);
      LAMINA_UNROLL
      for (std::size_t v = 0; v < G; ++v) {
        acc[0][r][v] = start;
        if constexpr (kChains == 2) acc[1][r][v] = Dot::start();
      }
    }
    LAMINA_UNROLL
    for (std::size_t step = 0; step < Steps::kSteps; ++step) {
      typename Dot::W w[G][Steps::kRegisters];
      LAMINA_UNROLL
      for (std::size_t v = 0; v < G; ++v) load(lanes, v0 + v, g, step, w[v]);
      LAMINA_UNROLL
      for (std::size_t r = 0; r < R; ++r) {
        if constexpr (requires { &Dot::add_two; }) {
          static_assert(Steps::kRegisters == 2);
          Ints const first = dot::broadcast4(x.columns(r, g.column(step, 0)));
          Ints const second = dot::broadcast4(x.columns(r, g.column(step, 1)));
          LAMINA_UNROLL
          for (std::size_t v = 0; v < G; ++v)
            acc[0][r][v] = Dot::add_two(acc[0][r][v], w[v][0], first, w[v][1], second);
        } else {
          LAMINA_UNROLL
          for (std::size_t i = 0; i < Steps::kRegisters; ++i) {
            Ints const four = dot::broadcast4(x.columns(r, g.column(step, i)));
            auto& chain = acc[(step * Steps::kRegisters + i) % kChains];
            LAMINA_UNROLL
            for (std::size_t v = 0; v < G; ++v) chain[r][v] = Dot::add(chain[r][v], w[v][i], four);
          }
        }
      }
    }
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      LAMINA_UNROLL
      for (std::size_t v = 0; v < G; ++v) {
        dots[r][v] = Dot::sum(acc[0][r][v]);
        if constexpr (kChains == 2) dots[r][v] = hn::Add(dots[r][v], Dot::sum(acc[1][r][v]));
      }
    }
    if constexpr (!dot::kStartsAnywhere) take_off_offset(x, g, dots);
  }

  /// What kOffset adds to the dot products of activation row r, in every lane.
  template <std::size_t R>
  static HWY_INLINE Ints offset_of(Rows<R> const& x, std::size_t r, Group g) {
    if constexpr (kOffset == 0) {
      return hn::Zero(IntTag());
    } else {
      constexpr int kShift = std::countr_zero(static_cast<unsigned>(kOffset));
      static_assert(kOffset == 1 << kShift);
      return hn::ShiftLeft<kShift>(hn::Set(IntTag(), x.template sum<Format::kGroup>(r, g.in_activations)));
    }
  }
  /// The sum to begin with: where an accumulator can hold it, what makes up for the offset.
  template <std::size_t R>
  static HWY_INLINE typename Dot::Acc start_of(Rows<R> const& x, std::size_t r, Group g) {
    if constexpr (dot::kStartsAnywhere) {
      return Dot::start(hn::Neg(offset_of(x, r, g)));
    } else {
      return Dot::start();
    }
  }
  template <std::size_t R, std::size_t G>
  static HWY_INLINE void take_off_offset(Rows<R> const& x, Group g, Ints (&dots)[R][G]) {
    if constexpr (kOffset == 0) return;
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      Ints const offset = offset_of(x, r, g);
      LAMINA_UNROLL
      for (std::size_t v = 0; v < G; ++v) dots[r][v] = hn::Sub(dots[r][v], offset);
    }
  }

#if defined(__aarch64__) && LAMINA_PASS_SMMLA
  /// The same by SMMLA: 2 output rows by 2 activation rows by 8 columns, twice the products of SDOT in an instruction.
  template <std::size_t R, std::size_t V, std::size_t G>
  static HWY_INLINE void multiply_group_in_pairs(Lanes<Format, V> const& lanes, std::size_t v0, Rows<R> const& x,
                                                 Group g, Ints (&dots)[R][G]) {
    int32x4_t pairs[R / 2][G][2];  // lanes 0 and 1, lanes 2 and 3; of each the even row, then the odd one
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R / 2; ++r) {
      LAMINA_UNROLL
      for (std::size_t v = 0; v < G; ++v) pairs[r][v][0] = pairs[r][v][1] = vdupq_n_s32(0);
    }
    LAMINA_UNROLL
    for (std::size_t step = 0; step < Steps::kSteps; step += 2) {
      int8x16_t eight[R / 2][Steps::kRegisters];
      LAMINA_UNROLL
      for (std::size_t r = 0; r < R / 2; ++r) {
        LAMINA_UNROLL
        for (std::size_t i = 0; i < Steps::kRegisters; ++i) {
          static_assert(Steps::column(1, 0) == Steps::column(0, 0) + 4);
          // 4 columns of two rows lie side by side.
          int32x2_t const a = vreinterpret_s32_s8(vld1_s8(x.columns(2 * r, g.column(step, i))));
          int32x2_t const c = vreinterpret_s32_s8(vld1_s8(x.columns(2 * r, g.column(step + 1, i))));
          eight[r][i] = vreinterpretq_s8_s32(vcombine_s32(vzip1_s32(a, c), vzip2_s32(a, c)));
        }
      }
      LAMINA_UNROLL
      for (std::size_t v = 0; v < G; ++v) {
        int8x16_t first[Steps::kRegisters], second[Steps::kRegisters];
        load(lanes, v0 + v, g, step, first);
        load(lanes, v0 + v, g, step + 1, second);
        LAMINA_UNROLL
        for (std::size_t i = 0; i < Steps::kRegisters; ++i) {
          int32x4_t const a = vreinterpretq_s32_s8(first[i]), c = vreinterpretq_s32_s8(second[i]);
          int8x16_t const low = vreinterpretq_s8_s32(vzip1q_s32(a, c)), high = vreinterpretq_s8_s32(vzip2q_s32(a, c));
          LAMINA_UNROLL
          for (std::size_t r = 0; r < R / 2; ++r) {
            pairs[r][v][0] = vmmlaq_s32(pairs[r][v][0], low, eight[r][i]);
            pairs[r][v][1] = vmmlaq_s32(pairs[r][v][1], high, eight[r][i]);
          }
        }
      }
    }
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R / 2; ++r) {
      LAMINA_UNROLL
      for (std::size_t v = 0; v < G; ++v) {
        dots[2 * r][v] = Ints(vuzp1q_s32(pairs[r][v][0], pairs[r][v][1]));
        dots[2 * r + 1][v] = Ints(vuzp2q_s32(pairs[r][v][0], pairs[r][v][1]));
      }
    }
    take_off_offset(x, g, dots);
  }
#endif

  template <std::size_t R, std::size_t V, std::size_t G>
  static HWY_INLINE void dot_group(Lanes<Format, V> const& lanes, std::size_t v0, Rows<R> const& x, Group g,
                                   Ints (&dots)[R][G]) {
#if defined(__aarch64__) && LAMINA_PASS_SMMLA
    if constexpr (R % 2 == 0) return multiply_group_in_pairs<R>(lanes, v0, x, g, dots);
#endif
    multiply_group<R>(lanes, v0, x, g, dots);
  }

  /// sum = fma(float(dot), w_scale * x_scale, sum), and with a min sum = fma(-w_min, x_sum * x_scale, sum), by the
  /// contract.
  template <std::size_t R, std::size_t V>
  static HWY_INLINE void add_group(Lanes<Format, V> const& lanes, Rows<R> const& x, Group g, Sums<R, V>& sums) {
    FloatTag const tag;
    constexpr std::size_t kTogether = std::min(V, kWide);  // registers whose integer sums are kept at a time
    LAMINA_UNROLL
    for (std::size_t v0 = 0; v0 < V; v0 += kTogether) {
      Ints dots[R][kTogether];
      dot_group<R>(lanes, v0, x, g, dots);
      Floats w_scale[kTogether], w_min[kHasMin ? kTogether : 1];
      LAMINA_UNROLL
      for (std::size_t v = 0; v < kTogether; ++v) {
        auto const& block = lanes.block(v0 + v, g.block);
        w_scale[v] = Steps::scale(block, g.in_block, lanes.lane(v0 + v));
        if constexpr (kHasMin) w_min[v] = Steps::min(block, g.in_block, lanes.lane(v0 + v));
      }
      LAMINA_UNROLL
      for (std::size_t r = 0; r < R; ++r) {
        Floats const x_scale = hn::Set(tag, x.scale(r));
        LAMINA_UNROLL
        for (std::size_t v = 0; v < kTogether; ++v) {
          Floats sum = sums.get(r, v0 + v);
          sum = hn::MulAdd(hn::ConvertTo(tag, dots[r][v]), hn::Mul(w_scale[v], x_scale), sum);
          if constexpr (kHasMin) {
            static_assert(Format::kGroup == kActivationBlock);
            sum = hn::NegMulAdd(w_min[v], hn::Set(tag, x.scaled_sum(r)), sum);
          }
          sums.set(r, v0 + v, sum);
        }
      }
      sums.next();
    }
  }
};

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_QUANTIZED_TILES_INL_HPP
