// How a tokenizer works: special tokens cut the text into runs, which one of the two algorithms encodes. See
// compiled.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/text/bpe.hpp"
#include "lamina/text/merge.hpp"
#include "lamina/text/pieces.hpp"
#include "lamina/text/special_tokens.hpp"
#include "lamina/text/spm.hpp"
#include "lamina/text/tokenizer.hpp"

namespace lamina::inline v0_1 {

namespace detail {

/// Special tokens that end an answer, whatever the file calls its EOS. Instruction-tuned models often name another one.
inline constexpr std::array<std::string_view, 10> kEndTexts = {
    "<|eot_id|>", "<|im_end|>",      "<|end|>", "<end_of_turn>",      "<|endoftext|>",
    "<|eom_id|>", "<|end_of_text|>", "<EOT>",   "<end_of_utterance>", "<｜end▁of▁sentence｜>"};

constexpr bool is_hidden(TokenType type) noexcept { return type == TokenType::kControl || type == TokenType::kUnknown; }

/// What token i stands for in text.
inline std::string render_token(Vocabulary const& vocabulary, std::size_t i) {
  std::string const& token = vocabulary.tokens[i];
  TokenType const type = vocabulary.types[i];
  if (is_hidden(type)) return {};
  if (vocabulary.model == TokenizerModel::kByteLevelBpe) {
    return type == TokenType::kUserDefined ? token : decode_alphabet(token).value_or(token);
  }
  if (type == TokenType::kByte) return std::string(1, static_cast<char>(byte_of_token(token).value()));
  std::string text;
  append_unmarked(text, token);
  return text;
}

/// Checks it. Gemma calls runs of U+2581 user-defined; they are no text that a user writes, but what merges make of
/// spaces, and so they are normal tokens here.
inline Vocabulary prepare(Vocabulary vocabulary) {
  check_vocabulary(vocabulary);
  if (vocabulary.model != TokenizerModel::kSentencePiece) return vocabulary;
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    auto& type = vocabulary.types[i];
    if (type == TokenType::kUserDefined && vocabulary.tokens[i].find(kSpaceMark) != std::string::npos) {
      type = TokenType::kNormal;
    }
  }
  return vocabulary;
}

inline Pieces render_tokens(Vocabulary const& vocabulary) {
  Pieces pieces;
  pieces.reserve(vocabulary.tokens.size());
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) pieces.append(render_token(vocabulary, i));
  return pieces;
}

}  // namespace detail

struct Tokenizer::Content {
  using Encoder = std::variant<detail::SentencePieceBpe, detail::ByteLevelBpe>;

  explicit Content(Vocabulary given);

  Vocabulary vocabulary;
  detail::Pieces pieces;
  detail::SpecialTokens special;
  Encoder encoder;  // refers to pieces
  std::vector<Token> ends;
};

LAMINA_INLINE Tokenizer::Content::Content(Vocabulary given)
    : vocabulary(detail::prepare(std::move(given))),
      pieces(detail::render_tokens(vocabulary)),
      special(vocabulary),
      encoder(vocabulary.model == TokenizerModel::kSentencePiece
                  ? Encoder(std::in_place_type<detail::SentencePieceBpe>, vocabulary, pieces)
                  : Encoder(std::in_place_type<detail::ByteLevelBpe>, vocabulary, pieces)) {
  for (Token const token : {vocabulary.eos, vocabulary.eot, vocabulary.eom}) {
    if (token != kNoToken) ends.push_back(token);
  }
  for (std::string_view const text : detail::kEndTexts) {
    if (Token const token = special.find(text); token != kNoToken) ends.push_back(token);
  }
  vocabulary.merges = {};  // the encoder has them; some 20 MB for 280,000
}

LAMINA_INLINE std::vector<Token> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() >= detail::kNoSymbol) {
    fail(Errc::kInvalidArgument, content_->vocabulary.source, ": ", text.size(), " bytes of text, expected below 2^32");
  }
  Vocabulary const& vocabulary = content_->vocabulary;
  std::vector<Token> out;
  if (options.add_bos && vocabulary.add_bos) out.push_back(vocabulary.bos);
  bool space_prefix = options.space_prefix;
  std::size_t begin = 0;
  for (std::size_t pos = 0; pos < text.size();) {
    auto const match = content_->special.match(text, pos, {options.parse_special, options.exclude});
    if (match.size == 0) {
      ++pos;
      continue;
    }
    if (begin < pos) encode_run(text.substr(begin, pos - begin), space_prefix, out);
    out.push_back(match.token);
    space_prefix = true;
    begin = pos += match.size;
  }
  if (begin < text.size()) encode_run(text.substr(begin), space_prefix, out);
  if (options.add_bos && vocabulary.add_eos) out.push_back(vocabulary.eos);
  return out;
}

LAMINA_INLINE void Tokenizer::encode_run(std::string_view run, bool space_prefix, std::vector<Token>& out) const {
  if (auto const* bpe = std::get_if<detail::ByteLevelBpe>(&content_->encoder)) return bpe->encode(run, out);
  std::string text;
  text.reserve(run.size() + 1);
  if (space_prefix && content_->vocabulary.add_space_prefix) text += ' ';
  detail::append_unmarked(text, run);
  std::get<detail::SentencePieceBpe>(content_->encoder).encode(text, out);
}

LAMINA_INLINE std::string_view Tokenizer::piece_in_text(Token token, bool& prefix_due) const {
  std::string_view text = piece(token);
  TokenType const type = content_->vocabulary.types[static_cast<std::size_t>(token)];
  if (is_special(type)) {
    prefix_due = true;
  } else if (!text.empty()) {
    if (prefix_due && content_->vocabulary.add_space_prefix && text.front() == ' ') text.remove_prefix(1);
    prefix_due = false;
  }
  return text;
}

LAMINA_INLINE std::string Tokenizer::decode(std::span<Token const> tokens, EncodeOptions options) const {
  Vocabulary const& vocabulary = content_->vocabulary;
  bool const without_added = options.parse_special && options.add_bos;  // else they give no text anyway
  if (without_added && vocabulary.add_bos && !tokens.empty() && tokens.front() == vocabulary.bos) {
    tokens = tokens.subspan(1);
  }
  if (without_added && vocabulary.add_eos && !tokens.empty() && tokens.back() == vocabulary.eos) {
    tokens = tokens.first(tokens.size() - 1);
  }
  std::string text;
  bool prefix_due = options.space_prefix;
  for (Token const token : tokens) {
    text += piece_in_text(token, prefix_due);
    auto const i = static_cast<std::size_t>(token);
    if (options.parse_special && detail::is_hidden(vocabulary.types[i])) text += vocabulary.tokens[i];
  }
  return text;
}

LAMINA_INLINE Tokenizer::Tokenizer(Vocabulary vocabulary)
    : content_(std::make_shared<Content const>(std::move(vocabulary))) {}

LAMINA_INLINE std::string_view Tokenizer::piece(Token token) const {
  check_token(token);
  return content_->pieces[static_cast<std::size_t>(token)];
}

LAMINA_INLINE std::size_t Tokenizer::longest_piece() const noexcept { return content_->pieces.longest(); }

LAMINA_INLINE bool Tokenizer::ends_generation(Token token) const noexcept {
  return std::ranges::find(content_->ends, token) != content_->ends.end();
}

LAMINA_INLINE Token Tokenizer::special(std::string_view text) const { return content_->special.find(text); }

LAMINA_INLINE Vocabulary const& Tokenizer::vocabulary() const noexcept { return content_->vocabulary; }

LAMINA_INLINE void Tokenizer::check_token(Token token) const {
  if (token >= 0 && static_cast<std::size_t>(token) < size()) return;
  fail(Errc::kTokenOutOfRange, content_->vocabulary.source, ": token ", token, " is not in the vocabulary of ", size());
}

}  // namespace lamina::inline v0_1
