// What each kernel computes, in plain loops: the specification that every instruction set's kernels equal bit for bit.
//
// Read this to learn what lamina calculates. The products of matrices are in reference_product.hpp, exp and its like in
// reference_math.hpp. Arguments and shapes are explained at KernelTable.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>

#include "lamina/core/numeric.hpp"
#include "lamina/core/views.hpp"
#include "lamina/kernels/kernel_table.hpp"
#include "lamina/kernels/reference_math.hpp"
#include "lamina/kernels/reference_product.hpp"

namespace lamina::inline v0_1::reference {

inline void rms_norm(MatrixView<float const> x, std::span<float const> weight, float eps,
                     MatrixView<float> y) noexcept {
  for (std::size_t r = 0; r < x.rows; ++r) {
    auto const in = x.row(r);
    auto const out = y.row(r);
    std::array<float, 16> squares{};
    for (std::size_t i = 0; i < x.cols; ++i) squares[i % 16] = std::fma(in[i], in[i], squares[i % 16]);
    float const mean = sum16(squares) / static_cast<float>(x.cols);
    float const inverse = 1.0F / std::sqrt(mean + eps);
    for (std::size_t i = 0; i < x.cols; ++i) out[i] = (in[i] * inverse) * weight[i];
  }
}

inline void silu_gate(std::span<float> gate, std::span<float const> up) noexcept {
  for (std::size_t i = 0; i < gate.size(); ++i) gate[i] = silu(gate[i]) * up[i];
}

inline void softmax(std::span<float> x) noexcept {
  float max = -std::numeric_limits<float>::infinity();
  for (float const v : x) max = std::max(max, v);  // passes over NaN; exp below does not
  std::array<float, 16> sums{};
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = exp(x[i] - max);
    sums[i % 16] = sums[i % 16] + x[i];
  }
  float const sum = sum16(sums);
  for (float& v : x) v = v / sum;
}

inline void rope_frequencies(double base, std::size_t dim, std::span<double> inv_freq) noexcept {
  double const step = log2(base) / static_cast<double>(dim);
  for (std::size_t i = 0; i < inv_freq.size(); ++i) inv_freq[i] = exp2(product(-2.0 * static_cast<double>(i), step));
}

inline void rope_scale(RopeScaling const& scaling, std::span<double> inv_freq) noexcept {
  if (scaling.kind == RopeScalingKind::kNone) return;
  double const low = scaling.low_freq_factor, high = scaling.high_freq_factor, context = scaling.original_context;
  for (double& f : inv_freq) {
    double const stretched = f / scaling.factor;
    double const wavelength = 6.283185307179586 / f;
    if (scaling.kind == RopeScalingKind::kLinear || wavelength > context / low) {
      f = stretched;
    } else if (wavelength >= context / high) {
      double const s = (context / wavelength - low) / (high - low);
      f = std::fma(s, f, (1.0 - s) * stretched);
    }
  }
}

inline void rope_angles(std::size_t position, std::span<double const> inv_freq, float* cos, float* sin) noexcept {
  for (std::size_t i = 0; i < inv_freq.size(); ++i) {
    SinCos const angle = sin_cos(static_cast<double>(position) * inv_freq[i]);
    cos[i] = static_cast<float>(angle.cos);
    sin[i] = static_cast<float>(angle.sin);
  }
}

inline void rope(float* x, std::size_t n_heads, std::size_t head_dim, std::size_t n_pairs, float const* cos,
                 float const* sin, RopeLayout layout) noexcept {
  std::size_t const step = layout == RopeLayout::kInterleaved ? 2 : 1;
  std::size_t const distance = layout == RopeLayout::kInterleaved ? 1 : n_pairs;
  for (std::size_t h = 0; h < n_heads; ++h, x += head_dim) {
    for (std::size_t i = 0; i < n_pairs; ++i) {
      float& a = x[i * step];
      float& b = x[i * step + distance];
      float const turned = std::fma(a, cos[i], -(b * sin[i]));
      b = std::fma(a, sin[i], b * cos[i]);
      a = turned;
    }
  }
}

/// Element i of the keys or the values of a block.
inline float load_kv(KvElement element, std::byte const* data, std::size_t i) noexcept {
  if (element == KvElement::kF16) {
    Half half;
    std::memcpy(&half, data + i * sizeof(half), sizeof(half));
    return to_float(half);
  }
  float value;
  std::memcpy(&value, data + i * sizeof(value), sizeof(value));
  return value;
}

inline void store_kv_element(KvElement element, float value, std::byte* data, std::size_t i) noexcept {
  if (element == KvElement::kF16) {
    Half const half = to_half(value);
    std::memcpy(data + i * sizeof(half), &half, sizeof(half));
  } else {
    std::memcpy(data + i * sizeof(value), &value, sizeof(value));
  }
}

inline void store_kv(KvElement element, std::size_t head_dim, float const* k, float const* v, KvBlockRef block,
                     std::size_t index) noexcept {
  for (std::size_t d = 0; d < head_dim; ++d) {
    store_kv_element(element, k[d], block.k, d * kKvBlock + index);
    store_kv_element(element, v[d], block.v, index * head_dim + d);
  }
}

/// One query head of one token. Only tokens that it sees are read: others may be stale.
inline void attend_head(AttendArgs const& args, std::size_t position, float const* q, float* out) noexcept {
  std::size_t const last = position;
  std::size_t const first = args.window != 0 && position >= args.window ? position - args.window + 1 : 0;
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0.0F;
  std::fill_n(out, args.head_dim, 0.0F);
  for (std::size_t b = first / kKvBlock; b <= last / kKvBlock; ++b) {
    KvBlockRef const& block = args.blocks[b];
    std::size_t const begin = first > b * kKvBlock ? first - b * kKvBlock : 0;
    std::size_t const end = std::min(kKvBlock, last - b * kKvBlock + 1);

    std::array<float, kKvBlock> p{};
    float new_max = max;
    for (std::size_t t = begin; t < end; ++t) {
      float dot = 0.0F;
      for (std::size_t d = 0; d < args.head_dim; ++d) {
        dot = std::fma(q[d], load_kv(args.element, block.k, d * kKvBlock + t), dot);
      }
      p[t] = product(args.scale, dot);
      new_max = std::max(new_max, p[t]);
    }

    std::array<float, 16> sums{};
    for (std::size_t t = begin; t < end; ++t) {
      p[t] = exp(p[t] - new_max);
      sums[t % 16] = sums[t % 16] + p[t];
    }
    float const correction = exp(max - new_max);  // 0 at first: exp(-infinity)
    sum = std::fma(sum, correction, sum16(sums));
    for (std::size_t d = 0; d < args.head_dim; ++d) {
      out[d] = out[d] * correction;
      for (std::size_t t = begin; t < end; ++t) {
        out[d] = std::fma(p[t], load_kv(args.element, block.v, t * args.head_dim + d), out[d]);
      }
    }
    max = new_max;
  }
  for (std::size_t d = 0; d < args.head_dim; ++d) out[d] = out[d] / sum;
}

inline void attend(AttendArgs const& args) noexcept {
  for (std::size_t r = 0; r < args.q.rows; ++r) {
    for (std::size_t g = 0; g < args.group; ++g) {
      std::size_t const head = g * args.head_dim;
      attend_head(args, args.first_position + r, &args.q.row(r)[head], &args.out.row(r)[head]);
    }
  }
}

inline constexpr KernelTable kTable = {
    .target = Target::kReference,
    .name = "reference",
    .bit_exact = true,
    .rows_at_once = 128,
    .run_parts = 2,
    .quantize_rows = quantize_rows,
    .matmul = matmul,
    .embed = embed,
    .rms_norm = rms_norm,
    .rope_frequencies = rope_frequencies,
    .rope_scale = rope_scale,
    .rope_angles = rope_angles,
    .rope = rope,
    .store_kv = store_kv,
    .attend = attend,
    .silu_gate = silu_gate,
    .softmax = softmax,
};

}  // namespace lamina::inline v0_1::reference
