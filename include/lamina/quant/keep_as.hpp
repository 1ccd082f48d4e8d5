// The policies that say in which format a weight matrix is kept: as in the file, or converted at load.
#pragma once

#include <concepts>
#include <cstddef>

#include "lamina/quant/format.hpp"

namespace lamina::inline v0_1 {

/// How a model keeps its 2-D weights. choose() is asked at load, more than once per matrix, with the format that the
/// file has and the shape [rows, cols], and answers with a format whose block divides cols; with the stored one where
/// the file has the matrix packed. Every format struct (quant::Q4_0, ...) is a quantizer that converts to itself; a
/// user's own may look at the shape.
template <class Q>
concept Quantizer = requires(Format stored, std::size_t rows, std::size_t cols) {
  { Q::choose(stored, rows, cols) } -> std::same_as<Format>;
};

namespace quant {

/// Keeps each matrix in the format that the file has.
struct AsStored {
  static constexpr Format choose(Format stored, std::size_t /*rows*/, std::size_t /*cols*/) noexcept { return stored; }
};

/// Converts to one format. A row length that its block does not divide keeps the stored format.
template <Format target, std::size_t block>
struct KeepAs {
  static constexpr Format choose(Format stored, std::size_t /*rows*/, std::size_t cols) noexcept {
    return cols % block == 0 ? target : stored;
  }
};

}  // namespace quant
}  // namespace lamina::inline v0_1
