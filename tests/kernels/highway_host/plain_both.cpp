// The host uses highway.h alone, for the static target, before and after lamina: the macros of its target must be there
// again.
#include "hwy/highway.h"
//
#include "check.hpp"
//
#include "hwy/highway.h"
// Not host-inl.hpp, whose guard asks for a state of the toggle that is foreach_target.h's business.
HWY_BEFORE_NAMESPACE();
namespace host {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
inline float sum(float const* x, std::size_t n) {
  hn::ScalableTag<float> const d;
  float result = 0.0F;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    result += hn::GetLane(hn::SumOfLanes(d, hn::LoadU(d, x + i)));
  }
  return result;
}
}  // namespace HWY_NAMESPACE
}  // namespace host
HWY_AFTER_NAMESPACE();
//
#include "host_main.hpp"
