// Rotary position embedding for every instruction set. Declared at KernelTable, specified in reference.hpp.

#if defined(LAMINA_KERNELS_ROPE_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)  // visible once per pass
#ifdef LAMINA_KERNELS_ROPE_INL_HPP
#undef LAMINA_KERNELS_ROPE_INL_HPP
#else
#define LAMINA_KERNELS_ROPE_INL_HPP
#endif

#include "lamina/kernels/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Frequencies are computed at load, angles once a token and not per head or layer: scalar double precision will do.
using reference::rope_angles;
using reference::rope_frequencies;
using reference::rope_scale;

inline void rope(float* x, std::size_t n_heads, std::size_t head_dim, std::size_t n_pairs, float const* cos,
                 float const* sin, RopeLayout layout) noexcept {
  for (std::size_t h = 0; h < n_heads; ++h, x += head_dim) {
    for_each_run(n_pairs, [=](auto d, std::size_t i) HWY_ATTR {
      auto const c = hn::LoadU(d, cos + i);
      auto const s = hn::LoadU(d, sin + i);
      hn::Vec<decltype(d)> a, b;
      if (layout == RopeLayout::kInterleaved) {
        hn::LoadInterleaved2(d, x + 2 * i, a, b);
      } else {
        a = hn::LoadU(d, x + i);
        b = hn::LoadU(d, x + n_pairs + i);
      }
      auto const turned_a = hn::MulSub(a, c, hn::Mul(b, s));
      auto const turned_b = hn::MulAdd(a, s, hn::Mul(b, c));
      if (layout == RopeLayout::kInterleaved) {
        hn::StoreInterleaved2(turned_a, turned_b, d, x + 2 * i);
      } else {
        hn::StoreU(turned_a, d, x + i);
        hn::StoreU(turned_b, d, x + n_pairs + i);
      }
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_ROPE_INL_HPP
