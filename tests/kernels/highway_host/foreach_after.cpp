// foreach_target.h is used after lamina was included.
#include "check.hpp"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "foreach_after.cpp"
#include "hwy/foreach_target.h"
//
#include "host-inl.hpp"

#if HWY_ONCE
#include "host_main.hpp"
#endif
