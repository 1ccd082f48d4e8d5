// Pieces: the bytes that each token stands for, one behind the other, and the way back from bytes to a token.
#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lamina/core/token.hpp"

namespace lamina::inline v0_1::detail {

/// [n_vocab] strings in one block. Views stay valid when it moves.
class Pieces {
 public:
  void reserve(std::size_t count) { ends_.reserve(count); }
  void append(std::string_view piece) {
    bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    ends_.push_back(bytes_.size());
    if (piece.size() > longest_) longest_ = piece.size();
  }
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::size_t longest() const noexcept { return longest_; }
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
    std::size_t const begin = i == 0 ? 0 : ends_[i - 1];
    return {bytes_.data() + begin, ends_[i] - begin};
  }

 private:
  std::vector<char> bytes_;
  std::vector<std::size_t> ends_;
  std::size_t longest_ = 0;
};

/// From a piece's bytes to its token; the lowest id where several tokens have the same bytes.
using PieceIndex = std::unordered_map<std::string_view, Token>;

/// The token with these bytes, or kNoToken.
inline Token find_piece(PieceIndex const& index, std::string_view bytes) {
  auto const found = index.find(bytes);
  return found == index.end() ? kNoToken : found->second;
}

}  // namespace lamina::inline v0_1::detail
