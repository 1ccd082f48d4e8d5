// The Arm kernels of the compiled library. Empty on other architectures.
#if defined(__aarch64__)
#define LAMINA_COMPILED_KERNELS
#include "lamina/kernels/targets.hpp"

namespace lamina::inline v0_1::detail {
KernelTable const& neon_kernels() noexcept;
KernelTable const& neon_kernels() noexcept { return N_LAMINA_NEON::kTable; }
KernelTable const& neon_dotprod_kernels() noexcept;
KernelTable const& neon_dotprod_kernels() noexcept { return N_LAMINA_NEON_DOTPROD::kTable; }
KernelTable const& neon_i8mm_kernels() noexcept;
KernelTable const& neon_i8mm_kernels() noexcept { return N_LAMINA_NEON_I8MM::kTable; }
}  // namespace lamina::inline v0_1::detail
#endif
