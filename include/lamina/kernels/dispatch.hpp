// The kernel tables that this program holds, and the choice among them for the CPU that it runs on.
//
// Two ways to build. Header-only: this header brings all kernels with it. With LAMINA_COMPILED_KERNELS defined (the
// CMake target lamina::kernels does it) the tables live in a static library, and Highway is not seen here.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lamina/core/error.hpp"
#include "lamina/kernels/cpu.hpp"
#include "lamina/kernels/kernel_table.hpp"

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/kernels/reference.hpp"
#include "lamina/kernels/targets.hpp"
#endif

namespace lamina::inline v0_1 {

#if defined(LAMINA_COMPILED_KERNELS)

/// The specification: plain loops and std::fma.
KernelTable const& reference_kernels() noexcept;

namespace detail {
#if defined(__x86_64__)
KernelTable const& sse4_kernels() noexcept;
KernelTable const& avx2_kernels() noexcept;
KernelTable const& avx3_kernels() noexcept;
KernelTable const& avx3_dl_kernels() noexcept;
KernelTable const& avx3_zen4_kernels() noexcept;
KernelTable const& avx3_bf16_kernels() noexcept;
#elif defined(__aarch64__)
KernelTable const& neon_kernels() noexcept;
KernelTable const& neon_dotprod_kernels() noexcept;
KernelTable const& neon_i8mm_kernels() noexcept;
#endif
}  // namespace detail

#else

inline KernelTable const& reference_kernels() noexcept { return reference::kTable; }

namespace detail {
#if defined(__x86_64__)
inline KernelTable const& sse4_kernels() noexcept { return N_LAMINA_SSE4::kTable; }
inline KernelTable const& avx2_kernels() noexcept { return N_LAMINA_AVX2::kTable; }
inline KernelTable const& avx3_kernels() noexcept { return N_LAMINA_AVX3::kTable; }
inline KernelTable const& avx3_dl_kernels() noexcept { return N_LAMINA_AVX3_DL::kTable; }
inline KernelTable const& avx3_zen4_kernels() noexcept { return N_LAMINA_AVX3_DL::kZen4Table; }
inline KernelTable const& avx3_bf16_kernels() noexcept { return N_LAMINA_AVX3_DL::bf16_table(); }
#elif defined(__aarch64__)
inline KernelTable const& neon_kernels() noexcept { return N_LAMINA_NEON::kTable; }
inline KernelTable const& neon_dotprod_kernels() noexcept { return N_LAMINA_NEON_DOTPROD::kTable; }
inline KernelTable const& neon_i8mm_kernels() noexcept { return N_LAMINA_NEON_I8MM::kTable; }
#endif
}  // namespace detail

#endif

namespace detail {

/// Tables that the CPU can run, best first, and that of Numerics::Fast.
struct KernelList {
  std::array<KernelTable const*, 6> tables{};
  std::size_t size = 0;
  KernelTable const* fast = nullptr;

  KernelList() noexcept {
#if defined(__x86_64__)
    std::array vnni = {&avx3_dl_kernels(), &avx3_zen4_kernels()};
    if (cpu_is_zen4()) std::swap(vnni[0], vnni[1]);
    for (auto const* table : {vnni[0], vnni[1], &avx3_kernels(), &avx2_kernels(), &sse4_kernels()}) add(table);
#elif defined(__aarch64__)
    for (auto const* table : {&neon_i8mm_kernels(), &neon_dotprod_kernels(), &neon_kernels()}) add(table);
#endif
    add(&reference_kernels());
    fast = tables[0];
#if defined(__x86_64__)
    if (cpu_supports(Target::kAvx3Bf16)) fast = &avx3_bf16_kernels();
#endif
  }

  void add(KernelTable const* table) noexcept {
    if (cpu_supports(table->target)) tables[size++] = table;
  }
};

inline KernelList const& kernel_list() noexcept {
  static KernelList const kList;
  return kList;
}

}  // namespace detail

/// The tables that this CPU can run, best first, the reference last; not that of Numerics::Fast.
inline std::span<KernelTable const* const> available_kernels() noexcept {
  return {detail::kernel_list().tables.data(), detail::kernel_list().size};
}

/// The fastest table for this CPU. Where the CPU has nothing faster for Numerics::Fast, that is the exact one.
inline KernelTable const& best_kernels(Numerics numerics = Numerics::Exact) noexcept {
  return numerics == Numerics::Fast ? *detail::kernel_list().fast : *available_kernels().front();
}

/// The table of that name, that of Numerics::Fast included. Throws Error{kInvalidArgument} that names it and lists
/// those that this CPU can run.
inline KernelTable const& kernels_named(std::string_view name) {
  if (best_kernels(Numerics::Fast).name == name) return best_kernels(Numerics::Fast);
  std::string names;
  for (KernelTable const* table : available_kernels()) {
    if (table->name == name) return *table;
    names.append(names.empty() ? "" : ", ").append(table->name);
  }
  if (!best_kernels(Numerics::Fast).bit_exact) names.append(", ").append(best_kernels(Numerics::Fast).name);
  fail(Errc::kInvalidArgument, "kernel target '", name, "' is not available; this CPU has: ", names);
}

}  // namespace lamina::inline v0_1
