// Non-owning views of rows of numbers. A vector is a std::span; a matrix is row major with a stride.
#pragma once

#include <cassert>
#include <cstddef>
#include <span>
#include <type_traits>

namespace lamina::inline v0_1 {

/// A row-major matrix that somebody else owns: element (r, c) is data[r * stride + c].
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;  // elements from one row to the next, >= cols

  constexpr MatrixView() = default;
  constexpr MatrixView(T* p, std::size_t n_rows, std::size_t n_cols) : MatrixView(p, n_rows, n_cols, n_cols) {}
  constexpr MatrixView(T* p, std::size_t n_rows, std::size_t n_cols, std::size_t row_stride)
      : data(p), rows(n_rows), cols(n_cols), stride(row_stride) {}

  /// A view to const from a view to mutable.
  constexpr operator MatrixView<T const>() const  // NOLINT(google-explicit-constructor): it loses nothing
    requires(!std::is_const_v<T>)
  {
    return {data, rows, cols, stride};
  }

  /// Row r, [cols].
  [[nodiscard]] constexpr std::span<T> row(std::size_t r) const {
    assert(r < rows);
    return {data + r * stride, cols};
  }

  /// Rows first .. first + count - 1.
  [[nodiscard]] constexpr MatrixView slice(std::size_t first, std::size_t count) const {
    assert(first + count <= rows);
    return {data + first * stride, count, cols, stride};
  }
};

}  // namespace lamina::inline v0_1
