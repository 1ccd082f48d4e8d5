// SentencePiece BPE: characters merge into the token with the best score; what has no token falls back to bytes.
//
// Kudo and Richardson 2018, "SentencePiece". Pieces are compared with U+2581 replaced by the space that it stands for.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/text/merge.hpp"
#include "lamina/text/pieces.hpp"
#include "lamina/text/unicode.hpp"
#include "lamina/text/vocabulary.hpp"

namespace lamina::inline v0_1::detail {

inline constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581, SentencePiece's space

/// Appends text with every U+2581 as a space.
inline void append_unmarked(std::string& out, std::string_view text) {
  for (std::size_t mark; (mark = text.find(kSpaceMark)) != text.npos; text.remove_prefix(mark + kSpaceMark.size())) {
    out += text.substr(0, mark);
    out += ' ';
  }
  out += text;
}

class SentencePieceBpe {
 public:
  /// `pieces` are the tokens' bytes, [n_vocab], and must outlive this.
  SentencePieceBpe(Vocabulary const& vocabulary, Pieces const& pieces)
      : source_(vocabulary.source), unknown_(vocabulary.unknown), longest_(pieces.longest()), orders_(pieces.size()) {
    byte_tokens_.fill(kNoToken);
    index_.reserve(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      auto const type = vocabulary.types[i];
      if (type == TokenType::kByte) {
        byte_tokens_[static_cast<unsigned char>(pieces[i][0])] = static_cast<Token>(i);
      } else if (!is_special(type) && !pieces[i].empty()) {
        index_.emplace(pieces[i], static_cast<Token>(i));
        for (std::size_t j = 1; j < pieces[i].size(); ++j)
          neighbours_.set(neighbour_index(pieces[i][j - 1], pieces[i][j]));
      }
    }
    rank_scores(vocabulary.scores);
  }

  /// Appends the ids of `text`, in which spaces are plain spaces and the prefix is in place already.
  /// Precondition: text.size() < 2^32 - 1.
  void encode(std::string_view text, std::vector<Token>& out) const {
    MergeScratch scratch;
    std::size_t begin = 0;
    for (std::size_t pos = 0; pos < text.size();) {
      pos += decode_utf8(text, pos).size;
      if (pos < text.size() && may_join(text[pos - 1], text[pos])) continue;
      encode_stretch(text.substr(begin, pos - begin), scratch, out);
      begin = pos;
    }
  }

 private:
  /// Merges a stretch of text that no token reaches out of.
  void encode_stretch(std::string_view text, MergeScratch& scratch, std::vector<Token>& out) const {
    scratch.symbols.clear();
    for (std::size_t pos = 0; pos < text.size();) {
      std::size_t const size = decode_utf8(text, pos).size;
      append_symbol(scratch.symbols, pos, size, find_piece(index_, text.substr(pos, size)));
      pos += size;
    }
    merge_symbols(scratch, [&](Symbol const& left, Symbol const& right) {
      std::size_t const size = std::size_t{left.size} + right.size;
      if (size > longest_) return Merge{};
      Token const token = find_piece(index_, text.substr(left.begin, size));
      return token == kNoToken ? Merge{} : Merge{orders_[static_cast<std::size_t>(token)], token};
    });
    for (std::uint32_t i = 0; i != kNoSymbol; i = scratch.symbols[i].next) {
      Symbol const& symbol = scratch.symbols[i];
      if (symbol.piece != kNoToken) {
        out.push_back(symbol.piece);
      } else {
        append_bytes(text.substr(symbol.begin, symbol.size), out);
      }
    }
  }

  /// Whether the two bytes are neighbours in any token. Where not, no merge can cross: the text falls into stretches
  /// (words, for Llama 2), which saves nine tenths of the time.
  [[nodiscard]] bool may_join(char a, char b) const { return neighbours_[neighbour_index(a, b)]; }

  static std::size_t neighbour_index(char a, char b) {
    return static_cast<std::size_t>(static_cast<unsigned char>(a)) << 8 | static_cast<unsigned char>(b);
  }

  /// Turns scores into merge orders: the best score is 0, equal scores share an order.
  void rank_scores(std::vector<float> const& scores) {
    std::vector<float> sorted(scores);
    std::ranges::sort(sorted, std::greater<>());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    for (std::size_t i = 0; i < orders_.size(); ++i) {
      auto const place = std::ranges::lower_bound(sorted, scores[i], std::greater<>());
      orders_[i] = static_cast<std::uint32_t>(place - sorted.begin());
    }
  }

  void append_bytes(std::string_view bytes, std::vector<Token>& out) const {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      auto const byte = static_cast<unsigned char>(bytes[i]);
      Token token = byte_tokens_[byte];
      if (token == kNoToken) token = find_piece(index_, bytes.substr(i, 1));
      if (token == kNoToken) token = unknown_;
      if (token == kNoToken) {
        fail(Errc::kUnsupported, source_, ": the vocabulary has no token for byte ", int{byte},
             " and none for the unknown");
      }
      out.push_back(token);
    }
  }

  std::string source_;
  Token unknown_;
  std::size_t longest_;  // bytes
  std::array<Token, 256> byte_tokens_;
  PieceIndex index_;
  std::bitset<std::size_t{256} * 256> neighbours_;
  std::vector<std::uint32_t> orders_;  // [n_vocab]
};

}  // namespace lamina::inline v0_1::detail
