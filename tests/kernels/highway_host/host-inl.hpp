// A host's own kernel, as Highway documents it: seen once for each target that the host compiles for.
#if defined(HOST_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef HOST_INL_HPP
#undef HOST_INL_HPP
#else
#define HOST_INL_HPP
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace host {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline float sum(float const* x, std::size_t n) {
  hn::ScalableTag<float> const d;
  auto total = hn::Zero(d);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) total = hn::Add(total, hn::LoadU(d, x + i));
  float result = hn::GetLane(hn::SumOfLanes(d, total));
  for (; i < n; ++i) result += x[i];
  return result;
}

}  // namespace HWY_NAMESPACE
}  // namespace host
HWY_AFTER_NAMESPACE();

#endif
