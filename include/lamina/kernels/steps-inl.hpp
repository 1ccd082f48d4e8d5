// How the panels of each quantized format become registers of weights, scales and mins.

#if defined(LAMINA_KERNELS_STEPS_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_STEPS_INL_HPP
#undef LAMINA_KERNELS_STEPS_INL_HPP
#else
#define LAMINA_KERNELS_STEPS_INL_HPP
#endif

#include "lamina/kernels/tiles-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

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
  auto const both = dot::load_bytes_once(p);
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

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_STEPS_INL_HPP
