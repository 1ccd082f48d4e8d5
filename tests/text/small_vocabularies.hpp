// Vocabularies small enough to see through, made by hand: all bytes, a few merges, a few special tokens.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/text/bpe.hpp"
#include "lamina/text/unicode.hpp"
#include "lamina/text/vocabulary.hpp"

namespace lamina::test {

/// The byte as GPT-2 writes it in a vocabulary.
inline std::string alphabet_of(unsigned char byte) {
  auto const& bytes = detail::kByteOfAlphabet;
  auto const code = static_cast<char32_t>(std::ranges::find(bytes, byte) - bytes.begin());
  std::string text;
  detail::append_utf8(text, code);
  return text;
}

inline void add_token(Vocabulary& vocabulary, std::string text, TokenType type = TokenType::kNormal,
                      float score = 0.0f) {
  vocabulary.tokens.push_back(std::move(text));
  vocabulary.types.push_back(type);
  vocabulary.scores.push_back(score);
}

/// The id of the token with this text; the text must be there.
inline Token id_of(Vocabulary const& vocabulary, std::string_view text) {
  return static_cast<Token>(std::ranges::find(vocabulary.tokens, text) - vocabulary.tokens.begin());
}

/// Ids 0 to 255 are the bytes. Then merges of "hello", " hello", runs of 'a' and line breaks; then the special tokens.
inline Vocabulary small_bpe(PreTokenizer pre, std::vector<std::string> const& control = {"<s>", "</s>"}) {
  Vocabulary vocabulary;
  vocabulary.source = "small.gguf";
  vocabulary.model = TokenizerModel::kByteLevelBpe;
  vocabulary.pre = pre;
  for (int byte = 0; byte < 256; ++byte) add_token(vocabulary, alphabet_of(static_cast<unsigned char>(byte)));
  auto const merge = [&](std::string const& left, std::string const& right) {
    vocabulary.merges.push_back(left + " " + right);
    add_token(vocabulary, left + right);
  };
  std::string const space = alphabet_of(' ');
  std::string const newline = alphabet_of('\n');
  merge("l", "l");
  merge("h", "e");
  merge("he", "ll");
  merge("hell", "o");
  merge(space, "hello");
  merge(space, space);
  merge(newline, newline);
  for (std::size_t n = 1; n <= 8; n *= 2) merge(std::string(n, 'a'), std::string(n, 'a'));
  for (auto const& text : control) add_token(vocabulary, text, TokenType::kControl);
  vocabulary.bos = id_of(vocabulary, control[0]);
  vocabulary.eos = id_of(vocabulary, control[1]);
  return vocabulary;
}

/// <unk>, <s>, </s>, the bytes, then pieces: the space, letters, "hello" and its parts, runs of 'a' up to 16.
inline Vocabulary small_spm() {
  Vocabulary vocabulary;
  vocabulary.source = "small.gguf";
  vocabulary.model = TokenizerModel::kSentencePiece;
  add_token(vocabulary, "<unk>", TokenType::kUnknown);
  add_token(vocabulary, "<s>", TokenType::kControl);
  add_token(vocabulary, "</s>", TokenType::kControl);
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (std::size_t byte = 0; byte < 256; ++byte) {
    add_token(vocabulary, std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">", TokenType::kByte);
  }
  float score = 0.0f;
  for (std::string_view const piece : {"ll", "he", "hell", "hello", "\u2581hello", "\u2581\u2581", "aa", "aaaa",
                                       "aaaaaaaa", "aaaaaaaaaaaaaaaa", "\u2581", "h", "e", "l", "o", "a", "\u00e9"}) {
    add_token(vocabulary, std::string(piece), TokenType::kNormal, score);
    score -= 1.0f;
  }
  vocabulary.unknown = 0;
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.add_bos = true;
  vocabulary.add_space_prefix = true;
  return vocabulary;
}

inline constexpr std::array kAllPreTokenizers = {PreTokenizer::kDefault,     PreTokenizer::kGpt2,
                                                 PreTokenizer::kLlama3,      PreTokenizer::kQwen2,
                                                 PreTokenizer::kDeepseekLlm, PreTokenizer::kFalcon};

}  // namespace lamina::test
