// Packing and conversion of weights for the compiled library.
#define LAMINA_COMPILED_KERNELS
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::inline v0_1::detail {
std::size_t pack_panel(Format stored, Format target, std::byte const* first_row, std::size_t n_rows, std::size_t cols,
                       std::byte* panel) noexcept {
  return pack_panel_of(stored, target, first_row, n_rows, cols, panel);
}
}  // namespace lamina::inline v0_1::detail
