// 32 columns of a tile of quantized weights times int8 activations: exact integer sums, closed in float by the
// contract.
//
// The weights of 32 columns of V registers of output rows are PanelColumns, unpacked from panels on the way, or
// UnpackedColumns, which several tiles share. Both have
//   Steps                            of the format: see steps-inl.hpp
//   load(v, group, step, w)          weights of register v: w[Steps::kRegisters]
//   scale(v, group), min(v, group)   of group 0, or 0 and 1, of the 32 columns

#if defined(LAMINA_KERNELS_COLUMNS_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_COLUMNS_INL_HPP
#undef LAMINA_KERNELS_COLUMNS_INL_HPP
#else
#define LAMINA_KERNELS_COLUMNS_INL_HPP
#endif

#include "lamina/kernels/steps-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

/// R rows of int8 activations, a group of QuantizedRows, on the way through their blocks.
template <std::size_t R>
class Rows {
 public:
  /// Rows [first, first + R) from block `block` on.
  HWY_INLINE Rows(QuantizedRows const& x, std::size_t first, std::size_t block) : at_(x.group<R>(first) + block) {}
  HWY_INLINE void advance() { ++at_; }
  /// Columns [column, column + 4) of row r.
  HWY_INLINE std::int8_t const* columns(std::size_t r, std::size_t column) const { return at_->q[column / 4][r]; }
  HWY_INLINE float scale(std::size_t r) const { return at_->scale[r]; }
  HWY_INLINE float scaled_sum(std::size_t r) const { return at_->scaled_sum[r]; }
  /// By how much weights may be too high for minus_sum() to make up for it, with groups of kColumns columns.
  template <std::size_t kColumns>
  static constexpr int kTooHigh = kColumns == kActivationBlock ? 8 : 32;
  /// Minus kTooHigh times the sum of a group, number i in the block.
  template <std::size_t kColumns>
  HWY_INLINE std::int32_t minus_sum(std::size_t r, std::size_t i) const {
    static_assert(kColumns == kActivationBlock || kColumns == kActivationGroup);
    return kColumns == kActivationBlock ? at_->minus_8_sum[r] : at_->minus_32_sum[i][r];
  }

 private:
  QuantizedBlock<R> const* at_;
};

/// Groups in 32 columns.
template <class Format>
inline constexpr std::size_t kGroups = kActivationBlock / Format::kGroup;

/// Part `part`, 32 columns, of block `block` of panels.
template <class S, std::size_t V>
struct PanelColumns {
  using Steps = S;
  Lanes<typename S::Format, V> const& lanes;
  std::size_t block, part;

  HWY_INLINE void load(std::size_t v, std::size_t group, std::size_t step, typename S::Dot::W* w) const {
    S::load(lanes.block(v, block), in_block(group), step, lanes.lane(v), w);
  }
  HWY_INLINE Floats scale(std::size_t v, std::size_t group) const {
    return S::scale(lanes.block(v, block), in_block(group), lanes.lane(v));
  }
  HWY_INLINE Floats min(std::size_t v, std::size_t group) const {
    return S::min(lanes.block(v, block), in_block(group), lanes.lane(v));
  }

 private:
  HWY_INLINE std::size_t in_block(std::size_t group) const { return part * kGroups<typename S::Format> + group; }
};

/// 32 columns as tiles load them: weights ready to multiply, scales and mins as float.
template <class S, std::size_t V>
struct UnpackedColumns {
  using Steps = S;
  using Format = typename S::Format;
  static constexpr bool kHasMin = HasMin<Format>;

  typename S::Dot::W q[kGroups<Format>][S::kSteps][V][S::kRegisters];
  alignas(kAlignment) float factors[kGroups<Format>][kHasMin ? 2 : 1][V][kLanes];  // scales, mins

  HWY_INLINE void load(std::size_t v, std::size_t group, std::size_t step, typename S::Dot::W* w) const {
    LAMINA_UNROLL
    for (std::size_t i = 0; i < S::kRegisters; ++i) w[i] = q[group][step][v][i];
  }
  HWY_INLINE Floats scale(std::size_t v, std::size_t group) const { return hn::Load(FloatTag(), factors[group][0][v]); }
  HWY_INLINE Floats min(std::size_t v, std::size_t group) const { return hn::Load(FloatTag(), factors[group][1][v]); }

  HWY_INLINE void unpack(PanelColumns<S, V> const& from) {
    LAMINA_UNROLL
    for (std::size_t v = 0; v < V; ++v) {
      LAMINA_UNROLL
      for (std::size_t group = 0; group < kGroups<Format>; ++group) {
        LAMINA_UNROLL
        for (std::size_t step = 0; step < S::kSteps; ++step) from.load(v, group, step, q[group][step][v]);
        hn::Store(from.scale(v, group), FloatTag(), factors[group][0][v]);
        if constexpr (kHasMin) hn::Store(from.min(v, group), FloatTag(), factors[group][1][v]);
      }
    }
  }
};

/// What the integer sums of a format are higher by, times the sum of the activations.
template <class Steps>
inline constexpr int kOffset = Steps::kZero + Steps::Dot::kOffset;

/// What makes up for the offset in the dot products of activation row r with a group, in every lane.
template <class Steps, std::size_t R>
HWY_INLINE Ints minus_offset(Rows<R> const& x, std::size_t r, std::size_t group) {
  if constexpr (kOffset<Steps> == 0) {
    return hn::Zero(IntTag());
  } else {
    constexpr std::size_t kColumns = Steps::Format::kGroup;
    constexpr int kTimes = kOffset<Steps> / Rows<R>::template kTooHigh<kColumns>;
    constexpr int kShift = std::countr_zero(static_cast<unsigned>(kTimes));
    static_assert(kOffset<Steps> == Rows<R>::template kTooHigh<kColumns> << kShift);
    Ints const sum = hn::Set(IntTag(), x.template minus_sum<kColumns>(r, group));
    if constexpr (kShift == 0) return sum;
    return hn::ShiftLeft<kShift>(sum);
  }
}

/// The sum to begin with: where an accumulator can hold it, what makes up for the offset.
template <class Steps, std::size_t R>
HWY_INLINE typename Steps::Dot::Acc start_of(Rows<R> const& x, std::size_t r, std::size_t group) {
  if constexpr (dot::kStartsAnywhere) {
    return Steps::Dot::start(minus_offset<Steps>(x, r, group));
  } else {
    return Steps::Dot::start();
  }
}

template <class Steps, std::size_t R, std::size_t G>
HWY_INLINE void take_off_offset(Rows<R> const& x, std::size_t group, Ints (&dots)[R][G]) {
  if constexpr (kOffset<Steps> == 0) return;
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    Ints const offset = minus_offset<Steps>(x, r, group);
    LAMINA_UNROLL
    for (std::size_t v = 0; v < G; ++v) dots[r][v] = hn::Add(dots[r][v], offset);
  }
}

/// The integer dot products of a group with registers v0 .. v0 + G - 1, exact.
template <class Columns, std::size_t R, std::size_t G>
HWY_INLINE void multiply_group(Columns const& columns, std::size_t v0, Rows<R> const& x, std::size_t group,
                               Ints (&dots)[R][G]) {
  using Steps = typename Columns::Steps;
  using Dot = typename Steps::Dot;
  constexpr std::size_t kChains = R * G <= dot::kFewSums ? 2 : 1;
  std::size_t const first = group * Steps::Format::kGroup;
  typename Dot::Acc acc[kChains][R][G];
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    auto const start = start_of<Steps>(x, r, group);
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
    for (std::size_t v = 0; v < G; ++v) columns.load(v0 + v, group, step, w[v]);
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      if constexpr (requires { &Dot::add_two; }) {
        static_assert(Steps::kRegisters == 2);
        Ints const x0 = dot::broadcast4(x.columns(r, first + Steps::column(step, 0)));
        Ints const x1 = dot::broadcast4(x.columns(r, first + Steps::column(step, 1)));
        LAMINA_UNROLL
        for (std::size_t v = 0; v < G; ++v) acc[0][r][v] = Dot::add_two(acc[0][r][v], w[v][0], x0, w[v][1], x1);
      } else {
        LAMINA_UNROLL
        for (std::size_t i = 0; i < Steps::kRegisters; ++i) {
          Ints const four = dot::broadcast4(x.columns(r, first + Steps::column(step, i)));
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
  if constexpr (!dot::kStartsAnywhere) take_off_offset<Steps>(x, group, dots);
}

#if defined(__aarch64__) && LAMINA_PASS_SMMLA
/// The same by SMMLA: 2 output rows by 2 activation rows by 8 columns, twice the products of SDOT in an instruction.
template <class Columns, std::size_t R, std::size_t G>
HWY_INLINE void multiply_group_in_pairs(Columns const& columns, std::size_t v0, Rows<R> const& x, std::size_t group,
                                        Ints (&dots)[R][G]) {
  using Steps = typename Columns::Steps;
  constexpr std::size_t kRegisters = Steps::kRegisters;
  std::size_t const first = group * Steps::Format::kGroup;
  int32x4_t pairs[R / 2][G][2];  // lanes 0 and 1, lanes 2 and 3; of each the even row, then the odd one
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R / 2; ++r) {
    LAMINA_UNROLL
    for (std::size_t v = 0; v < G; ++v) pairs[r][v][0] = pairs[r][v][1] = vdupq_n_s32(0);
  }
  LAMINA_UNROLL
  for (std::size_t step = 0; step < Steps::kSteps; step += 2) {
    int8x16_t eight[R / 2][kRegisters];
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R / 2; ++r) {
      LAMINA_UNROLL
      for (std::size_t i = 0; i < kRegisters; ++i) {
        static_assert(Steps::column(1, 0) == Steps::column(0, 0) + 4);
        // 4 columns of two rows lie side by side.
        int32x2_t const a = vreinterpret_s32_s8(vld1_s8(x.columns(2 * r, first + Steps::column(step, i))));
        int32x2_t const c = vreinterpret_s32_s8(vld1_s8(x.columns(2 * r, first + Steps::column(step + 1, i))));
        eight[r][i] = vreinterpretq_s8_s32(vcombine_s32(vzip1_s32(a, c), vzip2_s32(a, c)));
      }
    }
    LAMINA_UNROLL
    for (std::size_t v = 0; v < G; ++v) {
      int8x16_t w0[kRegisters], w1[kRegisters];
      columns.load(v0 + v, group, step, w0);
      columns.load(v0 + v, group, step + 1, w1);
      LAMINA_UNROLL
      for (std::size_t i = 0; i < kRegisters; ++i) {
        int32x4_t const a = vreinterpretq_s32_s8(w0[i]), c = vreinterpretq_s32_s8(w1[i]);
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
  take_off_offset<Steps>(x, group, dots);
}
#endif

template <class Columns, std::size_t R, std::size_t G>
HWY_INLINE void dot_group(Columns const& columns, std::size_t v0, Rows<R> const& x, std::size_t group,
                          Ints (&dots)[R][G]) {
#if defined(__aarch64__) && LAMINA_PASS_SMMLA
  if constexpr (R % 2 == 0) return multiply_group_in_pairs(columns, v0, x, group, dots);
#endif
  multiply_group(columns, v0, x, group, dots);
}

/// One group: sum = fma(float(dot), w_scale * x_scale, sum), and with a min sum = fma(-w_min, x_sum * x_scale, sum), by
/// the contract.
template <class Columns, std::size_t R, std::size_t V>
HWY_INLINE void add_group(Columns const& columns, Rows<R> const& x, std::size_t group, Floats (&sums)[R][V]) {
  using Format = typename Columns::Steps::Format;
  FloatTag const tag;
  constexpr bool kHasMin = HasMin<Format>;
  // Registers whose integer sums are kept at a time (Q4_0, one row: of eight streams on Zen 4 one at a time is 1.01
  // times as fast as two, of four, when Zen 5 had them, 0.98).
  constexpr std::size_t kTogether = R == 1 && V > 4 * kVectors ? 1 : std::min(V, dot::kTileVectors);
  LAMINA_UNROLL
  for (std::size_t v0 = 0; v0 < V; v0 += kTogether) {
    Ints dots[R][kTogether];
    dot_group(columns, v0, x, group, dots);
    Floats w_scale[kTogether], w_min[kHasMin ? kTogether : 1];
    LAMINA_UNROLL
    for (std::size_t v = 0; v < kTogether; ++v) {
      w_scale[v] = columns.scale(v0 + v, group);
      if constexpr (kHasMin) w_min[v] = columns.min(v0 + v, group);
    }
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      Floats const x_scale = hn::Set(tag, x.scale(r));
      LAMINA_UNROLL
      for (std::size_t v = 0; v < kTogether; ++v) {
        Floats& sum = sums[r][v0 + v];
        sum = hn::MulAdd(hn::ConvertTo(tag, dots[r][v]), hn::Mul(w_scale[v], x_scale), sum);
        if constexpr (kHasMin) {
          static_assert(Format::kGroup == kActivationBlock);
          sum = hn::NegMulAdd(w_min[v], hn::Set(tag, x.scaled_sum(r)), sum);
        }
      }
    }
  }
}

/// All of the 32 columns.
template <class Columns, std::size_t R, std::size_t V>
HWY_INLINE void add_columns(Columns const& columns, Rows<R> const& x, Floats (&sums)[R][V]) {
  LAMINA_UNROLL
  for (std::size_t group = 0; group < kGroups<typename Columns::Steps::Format>; ++group) {
    add_group(columns, x, group, sums);
  }
}

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_COLUMNS_INL_HPP
