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

/// v rounded to the nearest integer, ties to even. Precondition: an int32 holds the result. Highway's NearestInt makes
/// up for greater ones on x86: four more instructions, a third of what four rows take.
HWY_INLINE Ints nearest(dot::Floats v) {
#if defined(__x86_64__)
  return Ints{dot::nearest32(v.raw)};
#else
  return hn::NearestInt(v);
#endif
}

/// Loads a block of a row; returns the greatest |x| of each lane as bits, which order as the floats do, infinity and
/// NaN last.
HWY_INLINE Ints load_block(float const* in, dot::Floats (&values)[kParts]) {
  IntTag const tag;
  auto const magnitude = hn::Set(tag, 0x7fffffff);
  Ints max;
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kParts; ++j) {
    values[j] = hn::LoadU(FloatTag(), in + j * kLanes);
    Ints const bits = hn::And(hn::BitCast(tag, values[j]), magnitude);
    max = j == 0 ? bits : hn::Max(max, bits);
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
      auto const rounded = nearest(hn::Mul(values[j], inverse));
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

/// Rounded activations to the bytes of a group; returns -32 times the rows' sums over the columns' two halves.
HWY_INLINE std::pair<FourInts, FourInts> pack_rows(Ints const (&rounded)[4][kParts], QuantizedBlock<4>& to) {
#if defined(__x86_64__)
  IntTag const tag;
  hn::Repartition<std::int16_t, IntTag> const tag16;
  // Packing by 16 bytes gives 4 columns of the first row, of the second, ...: the group's order as it is.
  auto const ones = hn::Set(dot::ByteTag(), 1);
  auto const minus_32 = hn::Set(tag16, -32);
  Ints halves[2] = {hn::Zero(tag), hn::Zero(tag)};
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kParts; ++j) {
    auto const bytes = dot::pack16(dot::pack32(rounded[0][j].raw, rounded[1][j].raw),
                                   dot::pack32(rounded[2][j].raw, rounded[3][j].raw));
    hn::StoreU(Ints{bytes}, tag, reinterpret_cast<std::int32_t*>(to.q[j * kLanes / 4]));
    Ints& half = halves[j * 2 / kParts];
    half = hn::Add(half, Ints{dot::madd(dot::maddubs(ones.raw, bytes), minus_32.raw)});
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
  return {hn::ShiftLeft<5>(hn::Neg(reduce_rows(sums[0], add))), hn::ShiftLeft<5>(hn::Neg(reduce_rows(sums[1], add)))};
#endif
}

/// One block of a whole group: where it is read, its rows `stride` apart, and written.
struct Place {
  float const* in;
  QuantizedBlock<4>* to;
};

/// The greatest |x| of each row of a block as bits.
HWY_INLINE FourInts max_of_rows(float const* in, std::size_t stride) {
  dot::Floats values[kParts];
  Ints max[4];
  LAMINA_UNROLL
  for (std::size_t i = 0; i < 4; ++i) max[i] = load_block(in + i * stride, values);
  HWY_ALIGN std::int32_t lanes[kLanes];
  hn::Store(reduce_rows(max, [](Ints a, Ints b) HWY_ATTR { return hn::Max(a, b); }), IntTag(), lanes);
  return hn::Load(hn::FixedTag<std::int32_t, 4>(), lanes);
}

/// Whether numbers with these bits, none of them negative, are all finite and large enough to be divided by.
HWY_INLINE bool all_regular(FourInts bits) {
  hn::FixedTag<std::int32_t, 4> const four;
  auto const too_small = hn::Set(four, std::bit_cast<std::int32_t>(kSmallestActivation) - 1);
  return hn::AllTrue(four, hn::And(hn::Gt(bits, too_small), hn::Lt(bits, hn::Set(four, kInfinity))));
}

/// A block whose rows' greatest |x| are max, all regular, and inverse 127 / max.
HWY_INLINE void round_rows(Place const& place, std::size_t stride, float const (&max)[4], float const (&inverse)[4]) {
  FloatTag const tag;
  hn::FixedTag<std::int32_t, 4> const four;
  hn::FixedTag<float, 4> const four_floats;
  QuantizedBlock<4>& to = *place.to;
  Ints rounded[4][kParts];
  LAMINA_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    auto const of_row = hn::Set(tag, inverse[i]);
    LAMINA_UNROLL
    for (std::size_t j = 0; j < kParts; ++j) {
      rounded[i][j] = nearest(hn::Mul(hn::LoadU(tag, place.in + i * stride + j * kLanes), of_row));
    }
  }
  auto const [low, high] = pack_rows(rounded, to);
  FourInts const both = hn::Add(low, high);
  auto const scale = hn::Div(hn::Load(four_floats, max), hn::Set(four_floats, 127.0F));
  hn::StoreU(scale, four_floats, to.scale);
  hn::StoreU(hn::Mul(hn::ConvertTo(four_floats, hn::ShiftRight<5>(hn::Neg(both))), scale), four_floats, to.scaled_sum);
  hn::StoreU(hn::ShiftRight<2>(both), four, to.minus_8_sum);
  hn::StoreU(low, four, to.minus_32_sum[0]);
  hn::StoreU(high, four, to.minus_32_sum[1]);
}

/// Blocks that are quantized together, first all their maxima, then all their values: in one go a block is a chain of
/// 75 cycles, and Zen 4's schedulers hold less than two blocks to overlap with it (64 cycles a block; so 48, with 4
/// together 49).
inline constexpr std::size_t kTogether = 8;

/// n blocks of whole groups, at most kTogether. What is one number a row is computed for the four rows of a block side
/// by side. A block in which one of them is almost zero or not finite is left to quantize_block.
inline void quantize_blocks(Place const* places, std::size_t n, std::size_t stride) noexcept {
  hn::FixedTag<std::int32_t, 4> const four;
  hn::FixedTag<float, 4> const four_floats;
  auto const highest = hn::Set(four_floats, 127.0F);
  auto const smallest = hn::Set(four, std::bit_cast<std::int32_t>(kSmallestActivation));
  HWY_ALIGN float max[kTogether][4];
  HWY_ALIGN float inverse[kTogether][4];
  for (std::size_t b = 0; b < n; ++b) {
    FourInts const bits = max_of_rows(places[b].in, stride);
    hn::Store(hn::BitCast(four_floats, bits), four_floats, max[b]);
    // Never by 0, which a host may have made a trap.
    hn::Store(hn::Div(highest, hn::BitCast(four_floats, hn::Max(bits, smallest))), four_floats, inverse[b]);
  }
  for (std::size_t b = 0; b < n; ++b) {
    if (HWY_LIKELY(all_regular(hn::BitCast(four, hn::Load(four_floats, max[b]))))) {
      round_rows(places[b], stride, max[b], inverse[b]);
    } else {
      for (std::size_t i = 0; i < 4; ++i) quantize_block(places[b].in + i * stride, *places[b].to, i);
    }
  }
}

}  // namespace quantizing

/// See KernelTable::quantize_rows and reference::quantize_rows.
inline void quantize_rows(MatrixView<float const> x, QuantizedRows const& out, std::size_t first_row,
                          std::size_t first_column) noexcept {
  std::size_t const first_block = first_column / kActivationBlock;
  std::size_t const blocks = x.cols / kActivationBlock;
  quantizing::Place places[quantizing::kTogether];
  std::size_t waiting = 0;
  for (std::size_t r = 0; r < x.rows;) {
    float const* const in = x.data + r * x.stride;
    std::size_t const row = first_row + r;
    if (row % kActivationRows == 0 && x.rows - r >= kActivationRows) {
      auto* const to = out.group<kActivationRows>(row) + first_block;
      for (std::size_t b = 0; b < blocks; ++b) {
        places[waiting++] = {in + b * kActivationBlock, to + b};
        if (waiting < quantizing::kTogether) continue;
        quantizing::quantize_blocks(places, waiting, x.stride);
        waiting = 0;
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
  quantizing::quantize_blocks(places, waiting, x.stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_QUANTIZE_INL_HPP
