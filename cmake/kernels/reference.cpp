// The scalar reference kernels of the compiled library.
#define LAMINA_COMPILED_KERNELS
#include "lamina/kernels/reference.hpp"

#include "lamina/kernels/dispatch.hpp"

namespace lamina::inline v0_1 {
KernelTable const& reference_kernels() noexcept { return reference::kTable; }
}  // namespace lamina::inline v0_1
