// Eigen::Map over lamina's views, for the public border: logits, embeddings, hidden states.
#pragma once

#include <Eigen/Core>
#include <span>

#include "lamina/core/views.hpp"

namespace lamina::inline v0_1 {

namespace detail {
template <class T>
using EigenRowMajor = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using EigenVector = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>;
template <class T, class Plain>
using LikeConst = std::conditional_t<std::is_const_v<T>, Plain const, Plain>;
}  // namespace detail

/// The matrix as an Eigen expression, [rows, cols], sharing memory.
template <class T>
auto as_eigen(MatrixView<T> m) {
  using Map = Eigen::Map<detail::LikeConst<T, detail::EigenRowMajor<T>>, Eigen::Unaligned, Eigen::OuterStride<>>;
  return Map(m.data, static_cast<Eigen::Index>(m.rows), static_cast<Eigen::Index>(m.cols),
             Eigen::OuterStride<>(static_cast<Eigen::Index>(m.stride)));
}

/// The vector as an Eigen column, [n], sharing memory.
template <class T>
auto as_eigen(std::span<T> v) {
  return Eigen::Map<detail::LikeConst<T, detail::EigenVector<T>>>(v.data(), static_cast<Eigen::Index>(v.size()));
}

}  // namespace lamina::inline v0_1
