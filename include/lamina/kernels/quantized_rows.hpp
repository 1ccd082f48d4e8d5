// Rows of activations in int8, laid out for the products.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lamina/quant/format.hpp"

namespace lamina::inline v0_1 {

/// Rows of activations that lie side by side: as many as most tiles of a product take at a time.
inline constexpr std::size_t kActivationRows = 4;

/// 32 columns of G rows, all that a tile reads of them from one place.
template <std::size_t G>
struct QuantizedBlock {
  std::int8_t q[kActivationBlock / 4][G][4];  // columns 4 i .. 4 i + 3 of each row
  float scale[G];
  float scaled_sum[G];  // the sum of q, times scale: what a weight format's min is multiplied by
  // What makes up for weights that are stored higher than they are, by 8 and by 32: no product has to negate and shift.
  std::int32_t minus_8_sum[G];      // -8 times the sum of q
  std::int32_t minus_32_sum[2][G];  // -32 times that over columns 0 .. 15, and 16 .. 31
};

/// Rows of activations quantized to int8 per block of 32 columns, symmetric, each row on its own:
/// scale = max|x| / 127, q = round_to_nearest_even(x * (127 / max|x|)), all zero where max|x| is below 2^-119 (127 /
/// max must stay finite). A block with NaN or infinity has q = 0 and a scale of NaN, which reaches every output.
///
/// The rows lie in groups of 4, those that are left in one of 1, 2 or 3, one group after the other; a group is a row of
/// QuantizedBlocks. So a tile of a product follows one stream, and a row takes the same bytes in any group.
class QuantizedRows {
 public:
  QuantizedRows() = default;
  /// data: rows * row_bytes(cols) bytes, aligned to 4. Precondition: cols is a multiple of 32.
  constexpr QuantizedRows(std::byte* data, std::size_t rows, std::size_t cols) noexcept
      : data_(data), rows_(rows), cols_(cols) {}

  static constexpr std::size_t row_bytes(std::size_t cols) noexcept {
    return cols / kActivationBlock * sizeof(QuantizedBlock<1>);
  }

  [[nodiscard]] constexpr bool empty() const noexcept { return data_ == nullptr; }
  [[nodiscard]] constexpr std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] constexpr std::size_t cols() const noexcept { return cols_; }
  [[nodiscard]] constexpr std::size_t blocks() const noexcept { return cols_ / kActivationBlock; }

  /// The same memory for n rows: other groups, so nothing written before can be read. Precondition: it is large enough.
  [[nodiscard]] constexpr QuantizedRows resized(std::size_t n) const noexcept { return {data_, n, cols_}; }

  /// Rows [first, first + count). Precondition: both ends are ends of groups.
  [[nodiscard]] constexpr QuantizedRows slice(std::size_t first, std::size_t count) const noexcept {
    return {data_ + first * row_bytes(cols_), count, cols_};
  }

  /// The blocks of a group of G rows. Precondition: there is one that begins with row `first`.
  template <std::size_t G>
  [[nodiscard]] QuantizedBlock<G>* group(std::size_t first) const noexcept {
    static_assert(sizeof(QuantizedBlock<G>) == G * sizeof(QuantizedBlock<1>));
    return reinterpret_cast<QuantizedBlock<G>*>(data_ + first * row_bytes(cols_));
  }

  /// Calls body(blocks, i): the row is number i of a group of G, whose blocks are QuantizedBlock<G>* blocks.
  template <class Body>
  void visit_row(std::size_t row, Body&& body) const {
    std::size_t const whole = rows_ / kActivationRows * kActivationRows;
    static_assert(kActivationRows == 4);
    if (row < whole)
      return body(group<kActivationRows>(row / kActivationRows * kActivationRows), row % kActivationRows);
    switch (rows_ - whole) {
      case 3: return body(group<3>(whole), row - whole);
      case 2: return body(group<2>(whole), row - whole);
      default: return body(group<1>(whole), std::size_t{0});
    }
  }

  /// One row's part of a block, wherever it lies.
  struct Part {
    std::int8_t* columns;  // of q, the first 4; the next 4 are 4 * rows bytes further
    float* scale;
    float* scaled_sum;
    std::int32_t* minus_8_sum;
    std::int32_t* minus_32_sum;  // the second is `rows` further
    std::size_t rows;            // of the group

    [[nodiscard]] std::int8_t& q(std::size_t column) const noexcept {
      return columns[column / 4 * 4 * rows + column % 4];
    }
  };
  [[nodiscard]] Part part(std::size_t row, std::size_t block) const noexcept {
    Part part{};
    visit_row(row, [&]<std::size_t G>(QuantizedBlock<G>* blocks, std::size_t i) {
      QuantizedBlock<G>& b = blocks[block];
      part = {b.q[0][i], b.scale + i, b.scaled_sum + i, b.minus_8_sum + i, b.minus_32_sum[0] + i, G};
    });
    return part;
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
};

}  // namespace lamina::inline v0_1
