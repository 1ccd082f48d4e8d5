// The specification of the products: activations to int8, matrix products in the contract's order, embedding rows.
//
// Plain loops and std::fma. The SIMD kernels' lanes are output rows, so their results equal these to the bit.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "lamina/core/numeric.hpp"
#include "lamina/core/views.hpp"
#include "lamina/kernels/kernel_table.hpp"
#include "lamina/quant/formats.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::inline v0_1 {

/// A block of activations below this in magnitude is quantized to zero: 127 / max must be finite.
inline constexpr float kSmallestActivation = 0x1p-119F;

namespace reference {

/// See KernelTable::quantize_rows. A block that holds a NaN or an infinity gets q = 0 and a NaN for its scale, so that
/// it makes NaN of every output instead of vanishing.
inline void quantize_rows(MatrixView<float const> x, QuantizedRows const& out, std::size_t first_row,
                          std::size_t first_column) noexcept {
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t b = 0; b < x.cols / kActivationBlock; ++b) {
      float const* in = x.data + r * x.stride + b * kActivationBlock;
      QuantizedRows::Part const to = out.part(first_row + r, first_column / kActivationBlock + b);
      std::uint32_t max_bits = 0;  // of |x|; orders as the floats do, infinity and NaN last
      for (std::size_t i = 0; i < kActivationBlock; ++i) {
        std::uint32_t const bits = std::bit_cast<std::uint32_t>(in[i]) & 0x7fffffffu;
        max_bits = bits > max_bits ? bits : max_bits;
      }
      float const max = std::bit_cast<float>(max_bits);
      bool const finite = max_bits < 0x7f800000u;
      bool const zero = !finite || max < kSmallestActivation;
      std::int32_t sum[kActivationBlock / kActivationGroup] = {};
      for (std::size_t i = 0; i < kActivationBlock; ++i) {
        to.q(i) = zero ? std::int8_t{0} : static_cast<std::int8_t>(std::nearbyint(in[i] * (127.0F / max)));
        sum[i / kActivationGroup] += to.q(i);
      }
      float const scale = zero ? 0.0F : max / 127.0F;
      *to.scale = finite ? scale : std::numeric_limits<float>::quiet_NaN();
      *to.scaled_sum = static_cast<float>(sum[0] + sum[1]) * *to.scale;
      *to.minus_8_sum = -8 * (sum[0] + sum[1]);
      for (std::size_t i = 0; i < 2; ++i) to.minus_32_sum[i * to.rows] = -32 * sum[i];
    }
  }
}

/// acc plus block b of quantized weights times activations of row r, by the contract.
template <QuantizedFormat F>
float add_block(typename F::Block const& block, QuantizedRows const& x, std::size_t r, std::size_t b,
                float acc) noexcept {
  std::int16_t level[F::kBlock];
  F::levels(block, level);
  for (std::size_t g = 0; g < F::kBlock / F::kGroup; ++g) {
    std::size_t const column = b * F::kBlock + g * F::kGroup;
    QuantizedRows::Part const from = x.part(r, column / kActivationBlock);
    std::int32_t dot = 0;
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < F::kGroup; ++i) {
      std::int8_t const q = from.q(column % kActivationBlock + i);
      dot += level[g * F::kGroup + i] * q;
      sum += q;
    }
    acc = std::fma(static_cast<float>(dot), F::scale(block, g) * *from.scale, acc);
    if constexpr (HasMin<F>) acc = std::fma(-F::min(block, g), static_cast<float>(sum) * *from.scale, acc);
  }
  return acc;
}

/// Row `lane` of a panel times activation row `r`, by the contract.
template <WeightFormat F>
float dot(typename F::PanelBlock const* panel, std::size_t lane, Activations const& x, std::size_t r,
          std::size_t cols) noexcept {
  float acc = 0.0F;
  for (std::size_t b = 0; b < cols / F::kBlock; ++b) {
    typename F::Block block;
    F::unpack(panel[b], lane, block);
    if constexpr (F::kQuantized) {
      acc = add_block<F>(block, x.q8, r, b, acc);
    } else {
      float weight;
      F::dequantize(block, &weight);
      acc = std::fma(weight, x.f32.data[r * x.f32.stride + b], acc);
    }
  }
  return acc;
}

/// See KernelTable::matmul.
inline void matmul(PackedView const& w, std::size_t first_panel, std::size_t last_panel, Activations const& x,
                   MatrixView<float> y, Epilogue epilogue) noexcept {
  visit_format(w.format, [&]<WeightFormat F>() {
    for (std::size_t o = first_panel * kPanelRows; o < last_panel * kPanelRows && o < w.rows; ++o) {
      auto const* panel = detail::panel_of<F>(w, o / kPanelRows);
      for (std::size_t r = 0; r < y.rows; ++r) {
        float const product = dot<F>(panel, o % kPanelRows, x, r, w.cols);
        float& out = y.data[r * y.stride + o];
        out = epilogue == Epilogue::kAdd ? out + product : product;
      }
    }
  });
}

/// See KernelTable::embed.
inline void embed(PackedView const& w, std::size_t row, float* out) noexcept {
  visit_format(w.format, [&]<WeightFormat F>() {
    auto const* panel = detail::panel_of<F>(w, row / kPanelRows);
    for (std::size_t b = 0; b < w.cols / F::kBlock; ++b) {
      typename F::Block block;
      F::unpack(panel[b], row % kPanelRows, block);
      F::dequantize(block, out + b * F::kBlock);
    }
  });
}

}  // namespace reference
}  // namespace lamina::inline v0_1
