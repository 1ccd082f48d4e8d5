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

/// See KernelTable::quantize_rows and reference::quantize_rows.
inline void quantize_rows(MatrixView<float const> x, QuantizedRows const& out) noexcept {
  namespace hn = hwy::HWY_NAMESPACE;
  dot::FloatTag const tag;
  dot::IntTag const int_tag;
  constexpr std::size_t kLanes = dot::kLanes;
  constexpr std::size_t kParts = kActivationBlock / kLanes;
  hn::Rebind<std::int8_t, dot::IntTag> const byte_tag;
  auto const magnitude = hn::Set(int_tag, 0x7fffffff);
  std::size_t const blocks = out.blocks();
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t b = 0; b < blocks; ++b) {
      float const* in = x.data + r * x.stride + b * kActivationBlock;
      std::int8_t* q = out.q + r * out.cols + b * kActivationBlock;
      dot::Floats values[kParts];
      dot::Ints max_bits = hn::Zero(int_tag);
      LAMINA_UNROLL
      for (std::size_t i = 0; i < kParts; ++i) {
        values[i] = hn::LoadU(tag, in + i * kLanes);
        max_bits = hn::Max(max_bits, hn::And(hn::BitCast(int_tag, values[i]), magnitude));
      }
      auto const bits = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(int_tag, max_bits)));
      float const max = std::bit_cast<float>(bits);
      bool const finite = bits < 0x7f800000u;
      bool const zero = !finite || max < kSmallestActivation;
      if (HWY_UNLIKELY(zero)) {
        std::memset(q, 0, kActivationBlock);
        out.scale[r * blocks + b] = finite ? 0.0F : std::numeric_limits<float>::quiet_NaN();
        out.sum[r * blocks + b] = 0;
        std::fill_n(out.group_sum + 2 * (r * blocks + b), 2, 0);
        continue;
      }
      auto const inverse = hn::Set(tag, 127.0F / max);
      dot::Ints sum[2] = {hn::Zero(int_tag), hn::Zero(int_tag)};
      LAMINA_UNROLL
      for (std::size_t i = 0; i < kParts; ++i) {
        auto const rounded = hn::NearestInt(hn::Mul(values[i], inverse));
        sum[i * 2 / kParts] = hn::Add(sum[i * 2 / kParts], rounded);
        hn::StoreU(hn::DemoteTo(byte_tag, rounded), byte_tag, q + i * kLanes);
      }
      out.scale[r * blocks + b] = max / 127.0F;
      std::int32_t const low = hn::GetLane(hn::SumOfLanes(int_tag, sum[0]));
      std::int32_t const high = hn::GetLane(hn::SumOfLanes(int_tag, sum[1]));
      out.sum[r * blocks + b] = low + high;
      out.group_sum[2 * (r * blocks + b)] = low;
      out.group_sum[2 * (r * blocks + b) + 1] = high;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_QUANTIZE_INL_HPP
