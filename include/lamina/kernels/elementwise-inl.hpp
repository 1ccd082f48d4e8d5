// RMS norm, SiLU gate and softmax for every instruction set. Declared at KernelTable, specified in reference.hpp.

#if defined(LAMINA_KERNELS_ELEMENTWISE_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)  // visible once per pass
#ifdef LAMINA_KERNELS_ELEMENTWISE_INL_HPP
#undef LAMINA_KERNELS_ELEMENTWISE_INL_HPP
#else
#define LAMINA_KERNELS_ELEMENTWISE_INL_HPP
#endif

#include "lamina/kernels/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// R rows from row `first` on.
template <std::size_t R>
inline void norm_rows(MatrixView<float const> x, std::size_t first, std::span<float const> weight, float eps,
                      MatrixView<float> y) noexcept {
  float const* in[R];
  float* out[R];
  for (std::size_t r = 0; r < R; ++r) {
    in[r] = x.row(first + r).data();
    out[r] = y.row(first + r).data();
  }
  float squares[R], inverse[R];
  reduce16(in, x.cols, [](auto sum, auto v) HWY_ATTR { return hn::MulAdd(v, v, sum); }, squares);
  for (std::size_t r = 0; r < R; ++r) {
    float const mean = squares[r] / static_cast<float>(x.cols);
    inverse[r] = 1.0F / std::sqrt(mean + eps);
  }
  for_each_run(x.cols, [&](auto d, std::size_t i) HWY_ATTR {
    auto const w = hn::LoadU(d, &weight[i]);
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, in[r] + i), hn::Set(d, inverse[r])), w), d, out[r] + i);
    }
  });
}

/// Rows side by side: as many as leave registers for what is neither of their sums.
inline constexpr std::size_t kNormRows = std::min<std::size_t>(4, 8 / kSumVectors);

inline void rms_norm(MatrixView<float const> x, std::span<float const> weight, float eps,
                     MatrixView<float> y) noexcept {
  std::size_t r = 0;
  for (; r + kNormRows <= x.rows; r += kNormRows) norm_rows<kNormRows>(x, r, weight, eps, y);
  for (; r < x.rows; ++r) norm_rows<1>(x, r, weight, eps, y);
}

inline void silu_gate(std::span<float> gate, std::span<float const> up) noexcept {
  for_each_run(gate.size(), [&](auto d, std::size_t i) HWY_ATTR {
    auto const x = hn::LoadU(d, &gate[i]);
    auto const silu = hn::Div(x, hn::Add(hn::Set(d, 1.0F), exp(d, hn::Neg(x))));
    hn::StoreU(hn::Mul(silu, hn::LoadU(d, &up[i])), d, &gate[i]);
  });
}

inline void softmax(std::span<float> x) noexcept {
  float max = -std::numeric_limits<float>::infinity();
  for_each_run(x.size(), [&](auto d, std::size_t i)
                             HWY_ATTR { max = std::max(max, hn::GetLane(hn::MaxOfLanes(d, hn::LoadU(d, &x[i])))); });
  for_each_run(x.size(), [&](auto d, std::size_t i) HWY_ATTR {
    hn::StoreU(exp_bounded(d, hn::Sub(hn::LoadU(d, &x[i]), hn::Set(d, max))), d, &x[i]);
  });
  float const sum = reduce16(x, [](auto part, auto v) HWY_ATTR { return hn::Add(part, v); });
  for_each_run(x.size(), [&](auto d, std::size_t i)
                             HWY_ATTR { hn::StoreU(hn::Div(hn::LoadU(d, &x[i]), hn::Set(d, sum)), d, &x[i]); });
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_ELEMENTWISE_INL_HPP
