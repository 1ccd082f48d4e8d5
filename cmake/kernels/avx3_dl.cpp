// The AVX-512 VNNI kernels of the compiled library. Empty on other architectures.
#if defined(__x86_64__)
#define LAMINA_COMPILED_KERNELS
#define LAMINA_PASSES LAMINA_PASS_BIT_AVX3_DL
#include "lamina/kernels/targets.hpp"

namespace lamina::inline v0_1::detail {
KernelTable const& avx3_dl_kernels() noexcept;
KernelTable const& avx3_dl_kernels() noexcept { return N_LAMINA_AVX3_DL::kTable; }
KernelTable const& avx3_bf16_kernels() noexcept;
KernelTable const& avx3_bf16_kernels() noexcept { return N_LAMINA_AVX3_DL::bf16_table(); }
KernelTable const& avx3_zen4_kernels() noexcept;
KernelTable const& avx3_zen4_kernels() noexcept { return N_LAMINA_AVX3_DL::kZen4Table; }
}  // namespace lamina::inline v0_1::detail
#endif
