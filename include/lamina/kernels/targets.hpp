// Compiles the kernels once for each target, by including pass-inl.hpp several times.
//
// Highway's own hwy/foreach_target.h admits one use per translation unit, which belongs to the host. We therefore do
// what it does, for our own list of targets, and leave every macro of Highway as it was found: a host may use
// foreach_target.h or plain highway.h before or after this header, or include it from within its own passes. Highway's
// operations are instantiated in namespaces of ours (hwy::N_LAMINA_AVX2), so they never meet the host's
// (hwy::N_AVX2). Highway's configuration macros (HWY_COMPILE_ALL_ATTAINABLE and the like) must be defined before the
// first of the two is included.
//
// How to write a kernel, in a file <topic>-inl.hpp:
//
//   #if defined(LAMINA_KERNELS_TOPIC_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)  // visible once per pass
//   #ifdef LAMINA_KERNELS_TOPIC_INL_HPP
//   #undef LAMINA_KERNELS_TOPIC_INL_HPP
//   #else
//   #define LAMINA_KERNELS_TOPIC_INL_HPP
//   #endif
//
//   #include "lamina/kernels/other-inl.hpp"     // other -inl files only; whatever else is needed goes in the list
//   below
//
//   HWY_BEFORE_NAMESPACE();
//   namespace lamina::inline v0_1 {
//   namespace HWY_NAMESPACE {                   // N_LAMINA_AVX2, ...
//   namespace hn = hwy::HWY_NAMESPACE;
//
//   inline void silu_gate(std::span<float> gate, std::span<float const> up) noexcept { ... }  // as in KernelTable
//
//   }  // namespace HWY_NAMESPACE
//   }  // namespace lamina::inline v0_1
//   HWY_AFTER_NAMESPACE();
//
//   #endif  // LAMINA_KERNELS_TOPIC_INL_HPP
//
// and include it in pass-inl.hpp; table-inl.hpp collects the functions by their names. Lambdas need HWY_ATTR after
// their parameters (GCC does not hand them the target of their function). Code that does not
// depend on the target must not sit between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE, and must not be called there
// if it is inline and the bits of a float depend on it: it would be compiled with the host's flags. The scalar versions
// of the same functions live in namespace lamina::reference: those of products in reference_product.hpp, all others in
// reference.hpp, which includes it and ends with the collection `inline constexpr KernelTable reference::kTable{.target
// = Target::kReference, .name = "reference", ...}`. Use hn::MulAdd for every product that feeds an addition where
// LAMINA_PASS_EXACT; never write a * b + c on floats.
//
// Macros of a pass: LAMINA_PASS_TARGET (a Target), LAMINA_PASS_NAME (a string), LAMINA_PASS_EXACT (0 or 1: FMA),
// LAMINA_PASS_VNNI, LAMINA_PASS_SDOT, LAMINA_PASS_SMMLA (0 or 1: instructions beyond those that Highway's target has).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "lamina/core/aligned.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/core/views.hpp"
#include "lamina/kernels/cpu.hpp"
#include "lamina/kernels/kernel_table.hpp"
#include "lamina/kernels/reference.hpp"
#include "lamina/quant/packed_matrix.hpp"

#if defined(__FAST_MATH__)
#error \
    "lamina: -ffast-math changes the bits that the kernels promise. Link lamina::kernels (compiled), or drop the flag."
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// The parts of highway.h that come before its per-target half. Its include guard stands for the rest of that half
// (HWY_EXPORT and the like), which we don't need: undefined again below, so that the host still gets it.
#include "hwy/base.h"
#include "hwy/targets.h"

// Before every loop over an array of registers, whose bounds must be constants: GCC 12 at -O2 else leaves the array in
// memory, at a third of the speed. Templates and lambdas in place of loops do the same at 1.7 times the compile time.
#ifdef __clang__
#define LAMINA_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LAMINA_UNROLL _Pragma("GCC unroll 16")
#endif

// Targets to compile here: all, unless a translation unit of the compiled library says which.
#define LAMINA_PASS_BIT_SSE4 1
#define LAMINA_PASS_BIT_AVX2 2
#define LAMINA_PASS_BIT_AVX3 4
#define LAMINA_PASS_BIT_AVX3_DL 8
#define LAMINA_PASS_BIT_NEON 16
#define LAMINA_PASS_BIT_NEON_DOTPROD 32
#define LAMINA_PASS_BIT_NEON_I8MM 64
#ifndef LAMINA_PASSES
#define LAMINA_PASSES 127
#endif

#pragma push_macro("HWY_TARGET")
#pragma push_macro("HWY_TARGET_TOGGLE")
#pragma push_macro("HWY_HIGHWAY_INCLUDED")
#ifndef HWY_HIGHWAY_INCLUDED
#define HWY_HIGHWAY_INCLUDED
#endif
// Highway's per-target headers show themselves when their toggles equal HWY_TARGET_TOGGLE. Where they don't, the host
// has included them for its current target: flip now, and give it back its macros at the end. Each pass flips all
// toggles, so an even number of passes restores those that we don't know by name (HWY_NATIVE_...).
#if defined(HWY_HIGHWAY_PER_TARGET) != defined(HWY_TARGET_TOGGLE)
#define LAMINA_HOST_IS_IN_A_PASS
#ifdef HWY_TARGET_TOGGLE
#undef HWY_TARGET_TOGGLE
#else
#define HWY_TARGET_TOGGLE
#endif
#endif

#if defined(__x86_64__)

#if LAMINA_PASSES & LAMINA_PASS_BIT_SSE4
#undef HWY_TARGET
#define HWY_TARGET HWY_SSE4
#define N_SSE4 N_LAMINA_SSE4
#define LAMINA_PASS_TARGET ::lamina::Target::kSse4
#define LAMINA_PASS_NAME "sse4"
#define LAMINA_PASS_EXACT 0
#define LAMINA_PASS_VNNI 0
#include "lamina/kernels/pass-inl.hpp"
#undef N_SSE4
#endif

#if LAMINA_PASSES & LAMINA_PASS_BIT_AVX2
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX2
#define N_AVX2 N_LAMINA_AVX2
#define LAMINA_PASS_TARGET ::lamina::Target::kAvx2
#define LAMINA_PASS_NAME "avx2"
#define LAMINA_PASS_EXACT 1
#define LAMINA_PASS_VNNI 0
#include "lamina/kernels/pass-inl.hpp"
#undef N_AVX2
#endif

#if LAMINA_PASSES & LAMINA_PASS_BIT_AVX3
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX3
#define N_AVX3 N_LAMINA_AVX3
#define LAMINA_PASS_TARGET ::lamina::Target::kAvx3
#define LAMINA_PASS_NAME "avx3"
#define LAMINA_PASS_EXACT 1
#define LAMINA_PASS_VNNI 0
#include "lamina/kernels/pass-inl.hpp"
#undef N_AVX3
#endif

// Highway 1.0.3's AVX3_DL names avxvnni, which Zen 4 lacks, and not avx512vnni. So: AVX3, and that one feature added.
#if LAMINA_PASSES & LAMINA_PASS_BIT_AVX3_DL
#undef HWY_TARGET
#define HWY_TARGET HWY_AVX3
#define N_AVX3 N_LAMINA_AVX3_DL
#define LAMINA_PASS_TARGET ::lamina::Target::kAvx3Dl
#define LAMINA_PASS_NAME "avx3_dl"
#define LAMINA_PASS_EXACT 1
#define LAMINA_PASS_VNNI 1
#include "lamina/kernels/pass-inl.hpp"
#undef N_AVX3
#endif

#elif defined(__aarch64__)

#if LAMINA_PASSES & LAMINA_PASS_BIT_NEON
#undef HWY_TARGET
#define HWY_TARGET HWY_NEON
#define N_NEON N_LAMINA_NEON
#define LAMINA_PASS_TARGET ::lamina::Target::kNeon
#define LAMINA_PASS_NAME "neon"
#define LAMINA_PASS_EXACT 1
#define LAMINA_PASS_SDOT 0
#define LAMINA_PASS_SMMLA 0
#include "lamina/kernels/pass-inl.hpp"
#undef N_NEON
#endif

#if LAMINA_PASSES & LAMINA_PASS_BIT_NEON_DOTPROD
#undef HWY_TARGET
#define HWY_TARGET HWY_NEON
#define N_NEON N_LAMINA_NEON_DOTPROD
#define LAMINA_PASS_TARGET ::lamina::Target::kNeonDotProd
#define LAMINA_PASS_NAME "neon_dotprod"
#define LAMINA_PASS_EXACT 1
#define LAMINA_PASS_SDOT 1
#define LAMINA_PASS_SMMLA 0
#include "lamina/kernels/pass-inl.hpp"
#undef N_NEON
#endif

#if LAMINA_PASSES & LAMINA_PASS_BIT_NEON_I8MM
#undef HWY_TARGET
#define HWY_TARGET HWY_NEON
#define N_NEON N_LAMINA_NEON_I8MM
#define LAMINA_PASS_TARGET ::lamina::Target::kNeonI8mm
#define LAMINA_PASS_NAME "neon_i8mm"
#define LAMINA_PASS_EXACT 1
#define LAMINA_PASS_SDOT 1
#define LAMINA_PASS_SMMLA 1
#include "lamina/kernels/pass-inl.hpp"
#undef N_NEON
#endif

// A fourth pass of Highway alone, to make the number even.
#undef HWY_TARGET
#define HWY_TARGET HWY_NEON
#define N_NEON N_LAMINA_NEON_SPARE
#include "hwy/highway.h"
#undef N_NEON

#endif

#pragma pop_macro("HWY_HIGHWAY_INCLUDED")
#pragma pop_macro("HWY_TARGET_TOGGLE")
#pragma pop_macro("HWY_TARGET")
#ifdef LAMINA_HOST_IS_IN_A_PASS
#undef LAMINA_HOST_IS_IN_A_PASS
#include "hwy/ops/set_macros-inl.h"
#endif
