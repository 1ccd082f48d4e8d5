// What the CPU that we run on can do: the run-time half of the choice among kernel targets.
//
// Asks the CPU itself (CPUID) or the kernel (AT_HWCAP), so that neither libhwy nor the compiler's own CPU model, whose
// feature names differ between GCC and Clang, is needed.
#pragma once

#include <cstdint>

#include "lamina/kernels/kernel_table.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace lamina::inline v0_1::detail {

/// Whether this CPU, under this operating system, runs everything that the target's code may hold.
inline bool cpu_supports(Target target) noexcept {
  if (target == Target::kReference) return true;
#if defined(__x86_64__)
  auto const has = [](std::uint32_t word, std::uint32_t bits) { return (word & bits) == bits; };
  // Intel SDM, volume 2A, CPUID. Bits are named where a target's attribute string names them.
  constexpr std::uint32_t kSse4 = 1u << 1 | 1u << 9 | 1u << 19 | 1u << 20 | 1u << 25;  // pclmul ssse3 sse4.1 sse4.2 aes
  constexpr std::uint32_t kAvx = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29;            // fma osxsave avx f16c
  constexpr std::uint32_t kAvx2 = 1u << 3 | 1u << 5 | 1u << 8;                         // bmi avx2 bmi2
  constexpr std::uint32_t kAvx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;  // f dq cd bw vl
  constexpr std::uint32_t kVnni = 1u << 11;
  constexpr std::uint32_t kBf16 = 1u << 5;
  constexpr std::uint32_t kYmmState = 0x06;  // XCR0: the system saves xmm and ymm
  constexpr std::uint32_t kZmmState = 0xe6;  // and opmask, zmm 0-15 high, zmm 16-31

  std::uint32_t a = 0, b = 0, c1 = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c1, &d) == 0 || !has(c1, kSse4)) return false;
  if (target == Target::kSse4) return true;
  std::uint32_t b7 = 0, c7 = 0;
  if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d) == 0 || !has(c1, kAvx) || !has(b7, kAvx2)) return false;
  std::uint32_t saved = 0, saved_high = 0;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(saved_high) : "c"(0));
  if (target == Target::kAvx2) return has(saved, kYmmState);
  if (!has(saved, kZmmState) || !has(b7, kAvx512)) return false;
  if (target == Target::kAvx3) return true;
  if (!has(c7, kVnni)) return false;
  std::uint32_t a71 = 0;
  bool const bf16 = __get_cpuid_count(7, 1, &a71, &b, &c1, &d) != 0 && has(a71, kBf16);
  return target == Target::kAvx3Dl || target == Target::kAvx3Zen4 || (target == Target::kAvx3Bf16 && bf16);
#elif defined(__aarch64__)
  constexpr unsigned long kAsimdDp = 1ul << 20;  // HWCAP_ASIMDDP
  constexpr unsigned long kI8mm = 1ul << 13;     // HWCAP2_I8MM
  bool const dot = (::getauxval(AT_HWCAP) & kAsimdDp) != 0;
  if (target == Target::kNeon) return true;
  if (target == Target::kNeonDotProd) return dot;
  return target == Target::kNeonI8mm && dot && (::getauxval(AT_HWCAP2) & kI8mm) != 0;
#else
  return false;
#endif
}

/// AMD's family 19h with VNNI: Zen 3 has no AVX-512, Zen 5 is 1Ah.
inline bool cpu_is_zen4() noexcept {
#if defined(__x86_64__)
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) == 0) return false;
  bool const is_amd = b == 0x68747541u && d == 0x69746e65u && c == 0x444d4163u;  // "Auth" "enti" "cAMD"
  // AMD64 Architecture Programmer's Manual, volume 3, CPUID 1: family = base + extended, which is 0 below base 0Fh.
  return is_amd && __get_cpuid(1, &a, &b, &c, &d) != 0 && (a >> 8 & 15) + (a >> 20 & 255) == 0x19 &&
         cpu_supports(Target::kAvx3Dl);
#else
  return false;
#endif
}

}  // namespace lamina::inline v0_1::detail
