// Tokenizer: text to token ids and back.
//
// Immutable once built: any number of threads may use one. Time is linear in the text up to a logarithm, whatever the
// text: a megabyte of one letter too.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/token.hpp"
#include "lamina/text/vocabulary.hpp"

namespace lamina::inline v0_1 {

struct EncodeOptions {
  bool add_bos = true;                  // where the vocabulary asks for it (and EOS likewise)
  bool parse_special = false;           // the text of a control token becomes that token
  bool space_prefix = true;             // where the vocabulary asks for it; false for text that continues earlier text
  std::span<Token const> exclude = {};  // special tokens that are not to be recognised, user-defined ones included
};

class Tokenizer {
 public:
  /// Throws Error{kCorrupt} where the vocabulary contradicts itself.
  explicit Tokenizer(Vocabulary vocabulary);

  /// The ids of `text`, any bytes. Bytes that are no UTF-8 become byte tokens.
  /// Throws Error{kUnsupported} for a byte that has no token in a vocabulary without an unknown token.
  std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The bytes of `tokens`: control tokens are left out, and so is the space that encode puts before a text.
  /// decode(encode(text)) == text for a vocabulary with all bytes, but U+2581 comes back as a space from SentencePiece.
  /// Throws Error{kTokenOutOfRange}.
  std::string decode(std::span<Token const> tokens) const;

  /// The bytes that a token stands for, maybe part of a character; empty for control tokens.
  /// Valid as long as the tokenizer. Throws Error{kTokenOutOfRange}.
  std::string_view piece(Token token) const;

  std::size_t size() const noexcept;
  Token bos() const noexcept;
  Token eos() const noexcept;

  /// Whether a model that gives this token has ended its answer: EOS, end of turn, end of message.
  bool ends_generation(Token token) const noexcept;

  /// The special token with this text (control, unknown or user-defined), or kNoToken.
  Token special(std::string_view text) const;

  Vocabulary const& vocabulary() const noexcept;
};

}  // namespace lamina::inline v0_1
