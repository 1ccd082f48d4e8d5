// The host uses highway.h alone, for the static target, before lamina is included.
#include "host-inl.hpp"
//
#include "check.hpp"
#include "host_main.hpp"
