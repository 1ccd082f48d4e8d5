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

/// One block of a row, number i of a group of G.
template <std::size_t G>
HWY_INLINE void quantize_block(float const* in, QuantizedBlock<G>& to, std::size_t i) noexcept {
  FloatTag const tag;
  IntTag const int_tag;
  hn::Rebind<std::int8_t, IntTag> const byte_tag;
  auto const magnitude = hn::Set(int_tag, 0x7fffffff);
  dot::Floats values[kParts];
  Ints max_bits = hn::Zero(int_tag);
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kParts; ++j) {
    values[j] = hn::LoadU(tag, in + j * kLanes);
    max_bits = hn::Max(max_bits, hn::And(hn::BitCast(int_tag, values[j]), magnitude));
  }
  auto const bits = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(int_tag, max_bits)));
  float const max = std::bit_cast<float>(bits);
  bool const finite = bits < 0x7f800000u;
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
  to.sum[i] = sums[0] + sums[1];
  to.scaled_sum[i] = static_cast<float>(to.sum[i]) * to.scale[i];
  for (std::size_t h = 0; h < 2; ++h) to.half_sum[h][i] = sums[h];
}

}  // namespace quantizing

/// See KernelTable::quantize_rows and reference::quantize_rows.
inline void quantize_rows(MatrixView<float const> x, QuantizedRows const& out, std::size_t first_row,
                          std::size_t first_column) noexcept {
  std::size_t const first_block = first_column / kActivationBlock;
  for (std::size_t r = 0; r < x.rows; ++r) {
    out.visit_row(first_row + r, [&](auto* blocks, std::size_t i) HWY_ATTR {
      for (std::size_t b = 0; b < x.cols / kActivationBlock; ++b) {
        quantizing::quantize_block(x.data + r * x.stride + b * kActivationBlock, blocks[first_block + b], i);
      }
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_QUANTIZE_INL_HPP
