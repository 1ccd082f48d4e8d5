// The AVX2 kernels of the compiled library. Empty on other architectures.
#if defined(__x86_64__)
#define LAMINA_COMPILED_KERNELS
#define LAMINA_PASSES LAMINA_PASS_BIT_AVX2
#include "lamina/kernels/targets.hpp"

namespace lamina::inline v0_1::detail {
KernelTable const& avx2_kernels() noexcept;
KernelTable const& avx2_kernels() noexcept { return N_LAMINA_AVX2::kTable; }
}  // namespace lamina::inline v0_1::detail
#endif
