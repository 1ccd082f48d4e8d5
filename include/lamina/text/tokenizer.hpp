// Tokenizer: text to token ids and back.
//
//   Tokenizer const tokenizer(read_vocabulary(checkpoint.metadata()));
//   std::vector<Token> const ids = tokenizer.encode("Once upon a time");
//   std::string const text = tokenizer.decode(ids);
//
// Immutable: copies share, any number of threads may use one. Time is O(n log n) in the text whatever the text, a
// megabyte of one letter included.
#pragma once

#include <cstddef>
#include <memory>
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
  /// Throws Error{kUnsupported} for a byte that has no token in a vocabulary without an unknown token,
  /// Error{kInvalidArgument} for 4 GiB of text and more.
  [[nodiscard]] std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const;

  /// The bytes of `tokens`, without the space that encode puts before each run of text: the inverse of encode with the
  /// same options. Control and unknown tokens give nothing, or if `parse_special` their text, all but a first BOS and a
  /// last EOS where encode adds them; `exclude` is not looked at. decode(encode(text, options), options) == text for a
  /// vocabulary that has all bytes; but SentencePiece takes U+2581 for a space. Throws Error{kTokenOutOfRange}.
  [[nodiscard]] std::string decode(std::span<Token const> tokens, EncodeOptions options = {}) const;

  /// The bytes that a token stands for, maybe part of a character; empty for control tokens.
  /// Valid as long as the tokenizer or a copy. Throws Error{kTokenOutOfRange}.
  [[nodiscard]] std::string_view piece(Token token) const;

  /// The piece as it stands in running text: without the space of a prefix where one is due.
  /// `prefix_due` is whether the text begins here or follows a special token (true before the first token); updated.
  /// Throws Error{kTokenOutOfRange}.
  [[nodiscard]] std::string_view piece_in_text(Token token, bool& prefix_due) const;

  [[nodiscard]] std::size_t size() const noexcept { return vocabulary().tokens.size(); }
  [[nodiscard]] Token bos() const noexcept { return vocabulary().bos; }
  [[nodiscard]] Token eos() const noexcept { return vocabulary().eos; }
  /// Bytes of the longest piece.
  [[nodiscard]] std::size_t longest_piece() const noexcept;

  /// Whether a model that gives this token has ended its answer: EOS, end of turn, end of message, and special tokens
  /// that are known to mean this where a file names only one.
  [[nodiscard]] bool ends_generation(Token token) const noexcept;

  /// The special token with this text (control, unknown or user-defined), or kNoToken.
  [[nodiscard]] Token special(std::string_view text) const;

  /// As given, but for merges, which are gone, and types of SentencePiece's runs of spaces, which are normal.
  [[nodiscard]] Vocabulary const& vocabulary() const noexcept;

 private:
  struct Content;

  void check_token(Token token) const;

  void encode_run(std::string_view run, bool space_prefix, std::vector<Token>& out) const;

  std::shared_ptr<Content const> content_;
};

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/text/tokenizer_impl.hpp"
#endif
