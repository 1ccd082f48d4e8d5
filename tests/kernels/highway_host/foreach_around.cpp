// lamina is included in the middle of the host's own passes, between foreach_target.h and the host's kernels.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "foreach_around.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
//
#include "check.hpp"
//
#include "host-inl.hpp"

#if HWY_ONCE
#include "host_main.hpp"
#endif
