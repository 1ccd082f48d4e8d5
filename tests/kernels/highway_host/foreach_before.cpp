// foreach_target.h is used before lamina is included.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "foreach_before.cpp"
#include "hwy/foreach_target.h"
//
#include "host-inl.hpp"

#if HWY_ONCE
#include "check.hpp"
#include "host_main.hpp"
#endif
