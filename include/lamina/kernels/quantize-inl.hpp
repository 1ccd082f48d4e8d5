// Activations to int8, in blocks of 32 columns.

#if defined(LAMINA_KERNELS_QUANTIZE_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_QUANTIZE_INL_HPP
#undef LAMINA_KERNELS_QUANTIZE_INL_HPP
#else
#define LAMINA_KERNELS_QUANTIZE_INL_HPP
#endif

#include "lamina/kernels/dot-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {

namespace quantizing {
namespace hn = hwy::HWY_NAMESPACE;
using dot::FloatTag;
using dot::Ints;
using dot::IntTag;
using dot::kLanes;

inline constexpr std::size_t kParts = kActivationBlock / kLanes;

/// The sums of the lanes of a and of b, together: half the shuffles.
HWY_INLINE void sum_lanes(Ints a, Ints b, std::int32_t (&sums)[2]) {
  IntTag const tag;
  Ints both = hn::Add(hn::ConcatLowerLower(tag, b, a), hn::ConcatUpperUpper(tag, b, a));
#if HWY_MAX_BYTES == 64
  both = hn::Add(both, hn::SwapAdjacentBlocks(both));
#endif
  if constexpr (kLanes > 4) both = hn::Add(both, hn::Shuffle1032(both));
  both = hn::Add(both, hn::Shuffle2301(both));
  HWY_ALIGN std::int32_t lanes[kLanes];
  hn::Store(both, tag, lanes);
  sums[0] = lanes[0];
  sums[1] = lanes[kLanes / 2];
}

inline constexpr std::int32_t kInfinity = 0x7f800000;

/// Loads a block of a row; returns the greatest |x| of each lane as bits, which order as the floats do, infinity and
/// NaN last.
HWY_INLINE Ints load_block(float const* in, dot::Floats (&values)[kParts]) {
  IntTag const tag;
  auto const magnitude = hn::Set(tag, 0x7fffffff);
  Ints max = hn::Zero(tag);
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kParts; ++j) {
    values[j] = hn::LoadU(FloatTag(), in + j * kLanes);
    max = hn::Max(max, hn::And(hn::BitCast(tag, values[j]), magnitude));
  }
  return max;
}

/// One block of a row, number i of a group of G.
template <std::size_t G>
HWY_INLINE void quantize_block(float const* in, QuantizedBlock<G>& to, std::size_t i) noexcept {
  FloatTag const tag;
  IntTag const int_tag;
  hn::Rebind<std::int8_t, IntTag> const byte_tag;
  dot::Floats values[kParts];
  std::int32_t const bits = hn::GetLane(hn::MaxOfLanes(int_tag, load_block(in, values)));
  float const max = std::bit_cast<float>(bits);
  bool const finite = bits < kInfinity;
  bool const zero = !finite || max < kSmallestActivation;
  HWY_ALIGN std::int8_t q[kActivationBlock] = {};
  Ints sum[2] = {hn::Zero(int_tag), hn::Zero(int_tag)};
  if (HWY_LIKELY(!zero)) {
    auto const inverse = hn::Set(tag, 127.0F / max);
    LAMINA_UNROLL
    for (std::size_t j = 0; j < kParts; ++j) {
      auto const rounded = hn::NearestInt(hn::Mul(values[j], inverse));
      sum[j * 2 / kParts] = hn::Add(sum[j * 2 / kParts], rounded);
      hn::StoreU(hn::DemoteTo(byte_tag, rounded), byte_tag, q + j * kLanes);
    }
  }
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kActivationBlock / 4; ++j) std::memcpy(to.q[j][i], q + 4 * j, 4);
  std::int32_t sums[2];
  sum_lanes(sum[0], sum[1], sums);
  float const scale = zero ? 0.0F : max / 127.0F;
  to.scale[i] = finite ? scale : std::numeric_limits<float>::quiet_NaN();
  to.scaled_sum[i] = static_cast<float>(sums[0] + sums[1]) * to.scale[i];
  to.minus_8_sum[i] = -8 * (sums[0] + sums[1]);
  for (std::size_t h = 0; h < 2; ++h) to.minus_32_sum[h][i] = -32 * sums[h];
}

/// Four rows' values side by side in every 16 bytes of a register: lane i of each is op over all lanes of rows[i].
template <class Op>
HWY_INLINE Ints reduce_rows(Ints const (&rows)[4], Op op) {
  IntTag const tag;
  hn::RepartitionToWide<IntTag> const tag64;
  auto const pairs = [&](Ints a, Ints b) HWY_ATTR {
    return hn::BitCast(tag64, op(hn::InterleaveLower(tag, a, b), hn::InterleaveUpper(tag, a, b)));
  };
  auto const first = pairs(rows[0], rows[1]), second = pairs(rows[2], rows[3]);
  Ints four = op(hn::BitCast(tag, hn::InterleaveLower(tag64, first, second)),
                 hn::BitCast(tag, hn::InterleaveUpper(tag64, first, second)));
#if HWY_MAX_BYTES == 64
  four = op(four, hn::ReverseBlocks(tag, four));
#endif
#if HWY_MAX_BYTES >= 32
  four = op(four, hn::SwapAdjacentBlocks(four));
#endif
  return four;
}

/// A number for each of four rows.
using FourInts = hn::Vec<hn::FixedTag<std::int32_t, 4>>;

#if defined(__x86_64__)
/// The blocks of 16 bytes of a register added up.
template <class D>
HWY_INLINE FourInts add_blocks(D /*d*/, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return v;
  } else {
    hn::Half<D> const half;
    return add_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#else
/// The bytes of a group, from a row a row to 4 columns of 4 rows.
HWY_INLINE void interleave_rows(std::int8_t const (&q)[4][kActivationBlock], QuantizedBlock<4>& to) {
  hn::FixedTag<std::int32_t, 4> const tag;
  hn::FixedTag<std::int64_t, 2> const tag64;
  for (std::size_t half = 0; half < 2; ++half) {
    auto const row = [&](std::size_t i) HWY_ATTR {
      return hn::LoadU(tag, reinterpret_cast<std::int32_t const*>(q[i] + half * kActivationGroup));
    };
    auto const store = [&](std::size_t j, auto v) HWY_ATTR {
      hn::StoreU(hn::BitCast(tag, v), tag, reinterpret_cast<std::int32_t*>(to.q[4 * half + j]));
    };
    auto const pairs = [&](auto v) HWY_ATTR { return hn::BitCast(tag64, v); };
    auto const low01 = pairs(hn::InterleaveLower(tag, row(0), row(1)));
    auto const low23 = pairs(hn::InterleaveLower(tag, row(2), row(3)));
    auto const high01 = pairs(hn::InterleaveUpper(tag, row(0), row(1)));
    auto const high23 = pairs(hn::InterleaveUpper(tag, row(2), row(3)));
    store(0, hn::InterleaveLower(tag64, low01, low23));
    store(1, hn::InterleaveUpper(tag64, low01, low23));
    store(2, hn::InterleaveLower(tag64, high01, high23));
    store(3, hn::InterleaveUpper(tag64, high01, high23));
  }
}
#endif

/// Rounded activations to the bytes of a group; returns the rows' sums over the columns' two halves.
HWY_INLINE std::pair<FourInts, FourInts> pack_rows(Ints const (&rounded)[4][kParts], QuantizedBlock<4>& to) {
#if defined(__x86_64__)
  IntTag const tag;
  // Packing by 16 bytes gives 4 columns of the first row, of the second, ...: the group's order as it is.
  auto const ones = hn::Set(dot::ByteTag(), 1);
  Ints halves[2] = {hn::Zero(tag), hn::Zero(tag)};
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kParts; ++j) {
    auto const bytes = dot::pack16(dot::pack32(rounded[0][j].raw, rounded[1][j].raw),
                                   dot::pack32(rounded[2][j].raw, rounded[3][j].raw));
    hn::StoreU(Ints{bytes}, tag, reinterpret_cast<std::int32_t*>(to.q[j * kLanes / 4]));
    Ints& half = halves[j * 2 / kParts];
    half = hn::Add(half, Ints{dot::madd(dot::maddubs(ones.raw, bytes), dot::ones16())});
  }
  return {add_blocks(tag, halves[0]), add_blocks(tag, halves[1])};
#else
  hn::Rebind<std::int8_t, IntTag> const byte_tag;
  HWY_ALIGN std::int8_t q[4][kActivationBlock];
  Ints sums[2][4];
  for (std::size_t i = 0; i < 4; ++i) {
    LAMINA_UNROLL
    for (std::size_t j = 0; j < kParts; ++j) {
      Ints& sum = sums[j * 2 / kParts][i];
      sum = j % (kParts / 2) == 0 ? rounded[i][j] : hn::Add(sum, rounded[i][j]);
      hn::StoreU(hn::DemoteTo(byte_tag, rounded[i][j]), byte_tag, q[i] + j * kLanes);
    }
  }
  interleave_rows(q, to);
  auto const add = [](Ints a, Ints b) HWY_ATTR { return hn::Add(a, b); };
  return {reduce_rows(sums[0], add), reduce_rows(sums[1], add)};
#endif
}

/// One block of a whole group: what is one number a row is computed for the four side by side. Where one of
/// them is almost zero or not finite, all are left to quantize_block.
HWY_INLINE void quantize_block_of_four(float const* in, std::size_t stride, QuantizedBlock<4>& to) noexcept {
  FloatTag const tag;
  hn::FixedTag<std::int32_t, 4> const four;
  hn::FixedTag<float, 4> const four_floats;
  dot::Floats values[4][kParts];
  Ints max_bits[4];  // of |x|; orders as the floats do, infinity and NaN last
  LAMINA_UNROLL
  for (std::size_t i = 0; i < 4; ++i) max_bits[i] = load_block(in + i * stride, values[i]);
  HWY_ALIGN std::int32_t lanes[kLanes];
  hn::Store(reduce_rows(max_bits, [](Ints a, Ints b) HWY_ATTR { return hn::Max(a, b); }), IntTag(), lanes);
  FourInts const bits = hn::Load(four, lanes);
  auto const too_small = hn::Set(four, std::bit_cast<std::int32_t>(kSmallestActivation) - 1);
  if (HWY_UNLIKELY(!hn::AllTrue(four, hn::And(hn::Gt(bits, too_small), hn::Lt(bits, hn::Set(four, kInfinity)))))) {
    for (std::size_t i = 0; i < 4; ++i) quantize_block(in + i * stride, to, i);
    return;
  }
  auto const max = hn::BitCast(four_floats, bits);
  auto const highest = hn::Set(four_floats, 127.0F);
  HWY_ALIGN float inverse[4];
  hn::Store(hn::Div(highest, max), four_floats, inverse);
  Ints rounded[4][kParts];
  LAMINA_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    auto const of_row = hn::Set(tag, inverse[i]);
    LAMINA_UNROLL
    for (std::size_t j = 0; j < kParts; ++j) rounded[i][j] = hn::NearestInt(hn::Mul(values[i][j], of_row));
  }
  auto const [low, high] = pack_rows(rounded, to);
  auto const scale = hn::Div(max, highest);
  FourInts const sum = hn::Add(low, high);
  hn::StoreU(scale, four_floats, to.scale);
  hn::StoreU(hn::Mul(hn::ConvertTo(four_floats, sum), scale), four_floats, to.scaled_sum);
  hn::StoreU(hn::ShiftLeft<3>(hn::Neg(sum)), four, to.minus_8_sum);
  hn::StoreU(hn::ShiftLeft<5>(hn::Neg(low)), four, to.minus_32_sum[0]);
  hn::StoreU(hn::ShiftLeft<5>(hn::Neg(high)), four, to.minus_32_sum[1]);
}

}  // namespace quantizing

/// See KernelTable::quantize_rows and reference::quantize_rows.
inline void quantize_rows(MatrixView<float const> x, QuantizedRows const& out, std::size_t first_row,
                          std::size_t first_column) noexcept {
  std::size_t const first_block = first_column / kActivationBlock;
  std::size_t const blocks = x.cols / kActivationBlock;
  for (std::size_t r = 0; r < x.rows;) {
    float const* const in = x.data + r * x.stride;
    std::size_t const row = first_row + r;
    if (row % kActivationRows == 0 && x.rows - r >= kActivationRows) {
      auto* const to = out.group<kActivationRows>(row) + first_block;
      for (std::size_t b = 0; b < blocks; ++b) {
        quantizing::quantize_block_of_four(in + b * kActivationBlock, x.stride, to[b]);
      }
      r += kActivationRows;
      continue;
    }
    out.visit_row(row, [&](auto* to, std::size_t i) HWY_ATTR {
      for (std::size_t b = 0; b < blocks; ++b) {
        quantizing::quantize_block(in + b * kActivationBlock, to[first_block + b], i);
      }
    });
    ++r;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_QUANTIZE_INL_HPP
