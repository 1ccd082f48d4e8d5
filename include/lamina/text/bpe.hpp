// Byte-level BPE: the bytes of a word merge by rank.
//
// Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2). Files write each byte as a
// printable character: those of Latin-1 that print stand for themselves, the other 68 for U+0100 onwards, in order.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/text/merge.hpp"
#include "lamina/text/pieces.hpp"
#include "lamina/text/pretokenize.hpp"
#include "lamina/text/unicode.hpp"
#include "lamina/text/vocabulary.hpp"

namespace lamina::inline v0_1::detail {

/// The alphabet of GPT-2 backwards: [code point] is the byte, or -1.
inline constexpr auto kByteOfAlphabet = [] {
  std::array<std::int16_t, 0x144> bytes{};
  bytes.fill(-1);
  std::size_t next = 0x100;
  for (std::int16_t byte = 0; byte < 256; ++byte) {
    bool const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    bytes[prints ? static_cast<std::size_t>(byte) : next++] = byte;
  }
  return bytes;
}();

/// The bytes that a text in GPT-2's alphabet stands for, or nothing where a character is not of the alphabet.
inline std::optional<std::string> decode_alphabet(std::string_view text) {
  std::string bytes;
  for (std::size_t pos = 0; pos < text.size();) {
    auto const step = decode_utf8(text, pos);
    if (!step.valid || step.code >= kByteOfAlphabet.size() || kByteOfAlphabet[step.code] < 0) return std::nullopt;
    bytes += static_cast<char>(kByteOfAlphabet[step.code]);
    pos += step.size;
  }
  return bytes;
}

class ByteLevelBpe {
 public:
  /// `pieces` are the tokens' bytes, [n_vocab], and must outlive this.
  /// Throws Error{kCorrupt} for a merge that is not two parts with a space between.
  ByteLevelBpe(Vocabulary const& vocabulary, Pieces const& pieces)
      : source_(vocabulary.source),
        pre_(vocabulary.pre),
        ignore_merges_(vocabulary.ignore_merges),
        n_vocab_(static_cast<Token>(pieces.size())) {
    PieceIndex index;
    index.reserve(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (!is_special(vocabulary.types[i])) index.emplace(pieces[i], static_cast<Token>(i));
    }
    Names names{index, {}, n_vocab_};
    byte_pieces_ = find_bytes(vocabulary, names);
    substitute_ = find_substitute(vocabulary.unknown);
    read_merges(vocabulary, names);
    if (ignore_merges_) words_ = std::move(index);
  }

  /// Appends the ids of `text`. Precondition: text.size() < 2^32 - 1.
  void encode(std::string_view text, std::vector<Token>& out) const {
    MergeScratch scratch;
    std::size_t begin = 0;
    for (std::size_t const end : split_words(pre_, text)) {
      encode_word(text.substr(begin, end - begin), scratch, out);
      begin = end;
    }
  }

 private:
  /// Names for strings of bytes while the merges are read: the token, or a number from n_vocab on for those that only
  /// lead from one merge to the next.
  struct Names {
    PieceIndex const& tokens;
    std::unordered_map<std::string, Token> others;
    Token next;

    Token operator()(std::string const& bytes) {
      if (Token const token = find_piece(tokens, bytes); token != kNoToken) return token;
      auto const [place, is_new] = others.emplace(bytes, next);
      if (is_new) ++next;
      return place->second;
    }
  };

  /// The piece of each byte. User-defined tokens count here: DeepSeek's are the bytes that UTF-8 never uses.
  static std::array<Token, 256> find_bytes(Vocabulary const& vocabulary, Names& names) {
    std::array<Token, 256> pieces;
    for (std::size_t byte = 0; byte < 256; ++byte) pieces[byte] = names(std::string(1, static_cast<char>(byte)));
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
      if (vocabulary.types[i] != TokenType::kUserDefined || vocabulary.tokens[i].size() > 2) continue;
      auto const bytes = decode_alphabet(vocabulary.tokens[i]);
      if (!bytes || bytes->size() != 1) continue;
      Token& piece = pieces[static_cast<unsigned char>(bytes->front())];
      if (piece >= static_cast<Token>(vocabulary.tokens.size())) piece = static_cast<Token>(i);
    }
    return pieces;
  }

  void read_merges(Vocabulary const& vocabulary, Names& names) {
    merges_.reserve(vocabulary.merges.size());
    for (std::size_t i = 0; i < vocabulary.merges.size(); ++i) {
      std::string_view const merge = vocabulary.merges[i];
      std::size_t const space = merge.find(' ', 1);
      if (space == merge.npos || space + 1 == merge.size()) {
        fail(Errc::kCorrupt, source_, ": key 'tokenizer.ggml.merges' element ", i, " is not two parts with a space");
      }
      auto const left = decode_alphabet(merge.substr(0, space));
      auto const right = decode_alphabet(merge.substr(space + 1));
      if (!left || !right) continue;  // of characters that no text gives
      auto const key = pair_key(name_part(*left, names), name_part(*right, names));
      merges_.try_emplace(key, Merge{static_cast<std::uint32_t>(i), names(*left + *right)});
    }
  }

  Token name_part(std::string const& bytes, Names& names) const {
    return bytes.size() == 1 ? byte_pieces_[static_cast<unsigned char>(bytes[0])] : names(bytes);
  }

  static std::uint64_t pair_key(Token left, Token right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }

  void encode_word(std::string_view word, MergeScratch& scratch, std::vector<Token>& out) const {
    if (ignore_merges_) {
      if (Token const token = find_piece(words_, word); token != kNoToken) return out.push_back(token);
    }
    scratch.symbols.clear();
    for (std::size_t i = 0; i < word.size(); ++i) append_symbol(scratch.symbols, i, 1, byte_piece(word[i]));
    merge_symbols(scratch, [&](Symbol const& left, Symbol const& right) {
      auto const found = merges_.find(pair_key(left.piece, right.piece));
      return found == merges_.end() ? Merge{} : found->second;
    });
    for (std::uint32_t i = 0; i != kNoSymbol; i = scratch.symbols[i].next) {
      Symbol const& symbol = scratch.symbols[i];
      if (symbol.piece < n_vocab_) {
        out.push_back(symbol.piece);
      } else {
        for (char const c : word.substr(symbol.begin, symbol.size)) append_byte(c, out);
      }
    }
  }

  Token byte_piece(char c) const { return byte_pieces_[static_cast<unsigned char>(c)]; }

  void append_byte(char c, std::vector<Token>& out) const {
    if (Token const token = byte_piece(c); token < n_vocab_) return out.push_back(token);
    if (substitute_.empty()) {
      fail(Errc::kUnsupported, source_, ": the vocabulary has no token for byte ", int{static_cast<unsigned char>(c)},
           " and nothing to stand for it");
    }
    out.insert(out.end(), substitute_.begin(), substitute_.end());
  }

  /// What stands for a byte that has no token: the unknown token, else U+FFFD. Falcon's vocabulary lacks 28 bytes.
  [[nodiscard]] std::vector<Token> find_substitute(Token unknown) const {
    if (unknown != kNoToken) return {unknown};
    std::vector<Token> tokens;
    for (char const c : std::string_view("\xef\xbf\xbd")) tokens.push_back(byte_piece(c));
    auto const is_missing = [&](Token token) { return token >= n_vocab_; };
    return std::ranges::any_of(tokens, is_missing) ? std::vector<Token>{} : tokens;
  }

  std::string source_;
  PreTokenizer pre_;
  bool ignore_merges_;
  Token n_vocab_;
  std::array<Token, 256> byte_pieces_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::vector<Token> substitute_;
  PieceIndex words_;
};

}  // namespace lamina::inline v0_1::detail
