// One pass over the kernels, for the target that targets.hpp has chosen. Included once per target: no guard.

#include "hwy/highway.h"

#if defined(__x86_64__) && LAMINA_PASS_VNNI
#undef HWY_TARGET_STR
#define HWY_TARGET_STR HWY_TARGET_STR_AVX3 ",avx512cd,avx512vnni"
#elif defined(__aarch64__)
// Not behind HWY_HAVE_RUNTIME_DISPATCH: Highway 1.0.3 has none on Arm with Clang. +crypto stands in the string because
// Highway's operations have it, and GCC inlines only into a superset; no instruction of it is ever used.
#undef HWY_TARGET_STR
#undef LAMINA_PASS_ARCH
#if defined(__clang__)
#define LAMINA_PASS_ARCH
#else
#define LAMINA_PASS_ARCH "arch=armv8.2-a"  // GCC's arm_neon.h gives vdotq_s32 this base, so its callers need it too
#endif
#if LAMINA_PASS_SMMLA
#define HWY_TARGET_STR LAMINA_PASS_ARCH "+crypto+dotprod+i8mm"
#elif LAMINA_PASS_SDOT
#define HWY_TARGET_STR LAMINA_PASS_ARCH "+crypto+dotprod"
#else
#define HWY_TARGET_STR "+crypto"
#endif
// Highway left these empty where it has no run-time dispatch.
#undef HWY_BEFORE_NAMESPACE
#undef HWY_AFTER_NAMESPACE
#undef HWY_ATTR
#define HWY_BEFORE_NAMESPACE() \
  HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR) static_assert(true, "For requiring trailing semicolon")
#define HWY_AFTER_NAMESPACE() HWY_POP_ATTRIBUTES static_assert(true, "For requiring trailing semicolon")
#define HWY_ATTR __attribute__((target(HWY_TARGET_STR)))
#endif

#include "lamina/kernels/product-inl.hpp"
#include "lamina/kernels/quantize-inl.hpp"
//
#include "lamina/kernels/attention-inl.hpp"
#include "lamina/kernels/elementwise-inl.hpp"
#include "lamina/kernels/rope-inl.hpp"
//
#include "lamina/kernels/table-inl.hpp"

#undef LAMINA_PASS_TARGET
#undef LAMINA_PASS_NAME
#undef LAMINA_PASS_EXACT
#undef LAMINA_PASS_VNNI
#undef LAMINA_PASS_SDOT
#undef LAMINA_PASS_SMMLA

#ifdef HWY_TARGET_TOGGLE
#undef HWY_TARGET_TOGGLE
#else
#define HWY_TARGET_TOGGLE
#endif
#ifdef LAMINA_TARGET_TOGGLE
#undef LAMINA_TARGET_TOGGLE
#else
#define LAMINA_TARGET_TOGGLE
#endif
