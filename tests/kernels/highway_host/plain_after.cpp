// The host uses highway.h alone, for the static target, after lamina was included.
#include "check.hpp"
//
#include "host-inl.hpp"
//
#include "host_main.hpp"
