// The host uses highway.h alone, for the static target, before and after lamina: the macros of its target must be there
// again.
#include "hwy/highway.h"
//
#include "check.hpp"
//
#include "host-inl.hpp"
//
#include "host_main.hpp"
