// GCC 12 warns of its own AVX-512 intrinsics, which Eigen uses (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "bench/kernels/baselines.hpp"

#include <Eigen/Core>
#include <cmath>
#include <functional>
#include <xsimd/xsimd.hpp>

namespace lamina::bench::baseline {
namespace {
using Batch = xsimd::batch<float>;
constexpr std::size_t kLanes = Batch::size;

/// Folds the lanes into one. xsimd's own reductions changed their names between versions.
template <class Fold>
float over_lanes(Batch v, Fold fold) {
  float lanes[kLanes];
  v.store_unaligned(lanes);
  float result = lanes[0];
  for (std::size_t i = 1; i < kLanes; ++i) result = fold(result, lanes[i]);
  return result;
}

float sum_of(Batch v) { return over_lanes(v, std::plus<>()); }
}  // namespace

void xsimd_rms_norm(float const* x, float const* weight, float eps, float* y, std::size_t n) {
  Batch sum(0.0F);
  for (std::size_t i = 0; i < n; i += kLanes) {
    auto const v = Batch::load_unaligned(x + i);
    sum = xsimd::fma(v, v, sum);
  }
  Batch const scale(1.0F / std::sqrt(sum_of(sum) / static_cast<float>(n) + eps));
  for (std::size_t i = 0; i < n; i += kLanes) {
    (Batch::load_unaligned(x + i) * scale * Batch::load_unaligned(weight + i)).store_unaligned(y + i);
  }
}

void xsimd_silu_gate(float* gate, float const* up, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kLanes) {
    auto const v = Batch::load_unaligned(gate + i);
    (v / (1.0F + xsimd::exp(-v)) * Batch::load_unaligned(up + i)).store_unaligned(gate + i);
  }
}

void xsimd_softmax(float* x, std::size_t n) {
  auto most = Batch::load_unaligned(x);
  for (std::size_t i = kLanes; i < n; i += kLanes) most = xsimd::max(most, Batch::load_unaligned(x + i));
  float const max = over_lanes(most, [](float a, float b) { return a < b ? b : a; });

  Batch sum(0.0F);
  for (std::size_t i = 0; i < n; i += kLanes) {
    auto const e = xsimd::exp(Batch::load_unaligned(x + i) - max);
    e.store_unaligned(x + i);
    sum += e;
  }
  Batch const scale(1.0F / sum_of(sum));
  for (std::size_t i = 0; i < n; i += kLanes) (Batch::load_unaligned(x + i) * scale).store_unaligned(x + i);
}

void eigen_product(float const* w, std::size_t rows, std::size_t cols, float const* x, std::size_t n, float* y) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Vector = Eigen::VectorXf;
  auto const r = static_cast<Eigen::Index>(rows);
  auto const c = static_cast<Eigen::Index>(cols);
  auto const m = static_cast<Eigen::Index>(n);
  Eigen::Map<Matrix const> const weights(w, r, c);
  if (n == 1) {  // a vector at compile time takes another, faster way
    Eigen::Map<Vector>(y, r).noalias() = weights * Eigen::Map<Vector const>(x, c);
  } else {
    Eigen::Map<Matrix>(y, m, r).noalias() = Eigen::Map<Matrix const>(x, m, c) * weights.transpose();
  }
}

}  // namespace lamina::bench::baseline
