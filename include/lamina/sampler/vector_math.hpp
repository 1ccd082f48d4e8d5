// Vector code over logits, in xsimd: maximum, search, scaling and the exponential. The only header here that sees
// xsimd.
//
// Each function gives the same bits for any instruction set and vector width: lanes never mix but in a maximum, and the
// exponential keeps the compiler from fusing its products with its additions. Templates on the instruction set, so that
// translation units built with different flags do not share an instance.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <xsimd/xsimd.hpp>

namespace lamina::inline v0_1::detail {

inline constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

template <class Arch>
using FloatBatch = xsimd::batch<float, Arch>;

/// The last n < size elements of an array as a batch, the other lanes being `fill`.
template <class Arch>
FloatBatch<Arch> load_partial(float const* from, std::size_t n, float fill) {
  std::array<float, FloatBatch<Arch>::size> lanes;
  lanes.fill(fill);
  std::copy_n(from, n, lanes.begin());
  return FloatBatch<Arch>::load_unaligned(lanes.data());
}

/// to[i] = f(from[i]) for batches of elements; to may be from.
template <class Arch, class F>
void map_batches(std::span<float const> from, float* to, F f) {
  constexpr std::size_t kLanes = FloatBatch<Arch>::size;
  std::size_t i = 0;
  for (; i + kLanes <= from.size(); i += kLanes) {
    f(FloatBatch<Arch>::load_unaligned(from.data() + i)).store_unaligned(to + i);
  }
  if (i == from.size()) return;
  std::array<float, kLanes> lanes;
  f(load_partial<Arch>(from.data() + i, from.size() - i, 0.0F)).store_unaligned(lanes.data());
  std::copy_n(lanes.begin(), from.size() - i, to + i);
}

/// The largest of the logits, -infinity where there are none; NaN if any is NaN or +infinity.
template <class Arch = xsimd::default_arch>
float max_or_nan(std::span<float const> x) {
  using Batch = FloatBatch<Arch>;
  constexpr std::size_t kLanes = Batch::size;
  Batch const largest_finite(std::numeric_limits<float>::max());
  Batch max(kNegativeInfinity);
  auto valid = largest_finite == largest_finite;
  std::size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    Batch const v = Batch::load_unaligned(x.data() + i);
    valid = valid & (v <= largest_finite);  // false for NaN, too
    max = xsimd::max(max, v);
  }
  if (i != x.size()) {
    Batch const v = load_partial<Arch>(x.data() + i, x.size() - i, kNegativeInfinity);
    valid = valid & (v <= largest_finite);
    max = xsimd::max(max, v);
  }
  if (!xsimd::all(valid)) return std::numeric_limits<float>::quiet_NaN();
  std::array<float, kLanes> lanes;
  max.store_unaligned(lanes.data());
  return *std::max_element(lanes.begin(), lanes.end());
}

/// The first index from `first` on whose element is at least `bound`; x.size() where there is none.
template <class Arch = xsimd::default_arch>
std::size_t next_at_least(std::span<float const> x, std::size_t first, float bound) {
  using Batch = FloatBatch<Arch>;
  constexpr std::size_t kLanes = Batch::size;
  Batch const bounds(bound);
  std::size_t i = first;
  while (i + kLanes <= x.size() && !xsimd::any(Batch::load_unaligned(x.data() + i) >= bounds)) i += kLanes;
  while (i < x.size() && !(x[i] >= bound)) ++i;
  return i;
}

/// x = (x - max) / divisor: logits at a temperature, with their maximum at zero so that no quotient overflows upwards.
template <class Arch = xsimd::default_arch>
void shift_and_divide(std::span<float> x, float max, float divisor) {
  using Batch = FloatBatch<Arch>;
  map_batches<Arch>(x, x.data(), [m = Batch(max), d = Batch(divisor)](Batch v) { return (v - m) / d; });
}

/// The value, hidden from the compiler for a moment: a product behind it is rounded before anything is added to it.
/// GCC fuses the two otherwise, through intrinsics too, wherever the host builds for a CPU with FMA.
template <class Batch>
Batch rounded(Batch v) {
#if defined(__GNUC__) && defined(__AVX512F__)
  __asm__("" : "+v"(v.data));
#elif defined(__GNUC__) && defined(__SSE2__)
  __asm__("" : "+x"(v.data));
#elif defined(__GNUC__) && defined(__aarch64__)
  __asm__("" : "+w"(v.data));
#endif
  return v;
}

/// out[i] = exp(x[i] - max), zero below exp(-60). Relative error under 2e-7.
///
/// exp(d) = 2^n exp(r) with n = round(d / ln 2), ln 2 in two parts (Cody and Waite), |r| <= ln(2) / 2, and exp(r) by
/// the first eight terms of its series: the ninth is 5e-9 at most. Precondition: max is finite and no element is above
/// it.
template <class Arch = xsimd::default_arch>
void exp_below(std::span<float const> x, float max, float* out) {
  using Batch = FloatBatch<Arch>;
  map_batches<Arch>(x, out, [m = Batch(max)](Batch v) {
    Batch const d = xsimd::max(v - m, Batch(-60.0F));
    auto const n = xsimd::nearbyint_as_int(d * Batch(1.44269504F));
    Batch const n_float = xsimd::to_float(n);
    Batch const r = (d - rounded(n_float * Batch(0.693359375F))) - rounded(n_float * Batch(-2.12194440e-4F));
    Batch y(1.0F / 5040.0F);
    for (float const term : {1.0F / 720.0F, 1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F, 0.5F, 1.0F, 1.0F}) {
      y = rounded(y * r) + Batch(term);
    }
    return xsimd::select(v - m < Batch(-60.0F), Batch(0.0F), xsimd::ldexp(y, n));
  });
}

}  // namespace lamina::inline v0_1::detail
