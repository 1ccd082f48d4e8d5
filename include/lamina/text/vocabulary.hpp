// A vocabulary: the tokens of a model and the rules that turn text into them, as read from a checkpoint.
//
// Plain data, no behaviour: text/tokenizer.hpp makes a Tokenizer of it. Read from GGUF metadata (`tokenizer.ggml.*`,
// see the GGUF specification) or from a tokenizer file of llama2.c (`tok512.bin`, `tokenizer.bin`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/token.hpp"
#include "lamina/io/metadata.hpp"

namespace lamina::inline v0_1 {

/// How text becomes tokens; the value of `tokenizer.ggml.model`.
enum class TokenizerModel : std::uint8_t {
  kSentencePiece,  // "llama": SentencePiece BPE, merges ordered by score, byte fallback
  kByteLevelBpe,   // "gpt2": BPE over bytes, merges ordered by rank, a pre-tokenizer before it
};

/// How byte-level BPE cuts text into words before it merges; the value of `tokenizer.ggml.pre`.
enum class PreTokenizer : std::uint8_t { kDefault, kGpt2, kLlama3, kQwen2, kDeepseekLlm, kFalcon };

/// What a token is; the values of `tokenizer.ggml.token_type`.
enum class TokenType : std::uint8_t {
  kUndefined = 0,
  kNormal = 1,
  kUnknown = 2,      // stands for what has no token; rendered only on request
  kControl = 3,      // steers the model (<s>, <|eot_id|>); parsed from text and rendered only on request
  kUserDefined = 4,  // added by the model's author; always found in text, rendered as it is
  kUnused = 5,
  kByte = 6,  // "<0x0A>": one byte
};

/// Found in text as a whole, never made by merging.
constexpr bool is_special(TokenType type) noexcept {
  return type == TokenType::kControl || type == TokenType::kUnknown || type == TokenType::kUserDefined;
}

/// Bytes of the longest special token that is accepted. Those of real models have some 40; text is searched for them
/// at each of its bytes.
inline constexpr std::size_t kMaxSpecialBytes = 256;

struct Vocabulary {
  std::string source;  // the file, for messages
  TokenizerModel model = TokenizerModel::kSentencePiece;
  PreTokenizer pre = PreTokenizer::kDefault;  // byte-level BPE only
  std::vector<std::string> tokens;            // [n_vocab], as stored in the file
  std::vector<float> scores;                  // [n_vocab] for SentencePiece, none NaN; else may be empty
  std::vector<TokenType> types;               // [n_vocab]
  std::vector<std::string> merges;            // byte-level BPE: "left right", by rank
  Token bos = kNoToken;
  Token eos = kNoToken;
  Token eot = kNoToken;      // ends a turn of a chat
  Token eom = kNoToken;      // ends a message within a turn
  Token unknown = kNoToken;  // for what has no token
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;  // SentencePiece: a space before text that follows nothing or a special token
  bool ignore_merges = false;     // byte-level BPE: a word that is a token is taken whole
  std::string chat_template;      // Jinja source, empty where the file has none
};

/// Reads `tokenizer.ggml.*` and `tokenizer.chat_template`. Throws Error naming file and key: kMissing for an absent
/// key, kCorrupt for sizes that disagree, ids out of range and scores that are no numbers, kUnsupported for a tokenizer
/// model or pre-tokenizer that is not listed above.
Vocabulary read_vocabulary(Metadata const& metadata);

/// Reads llama2.c's tokenizer file: the longest token's length, then for each token score, length and bytes; 0, 1 and 2
/// are <unk>, <s> and </s>, 3 to 258 the bytes. Throws Error{kCorrupt} naming the file unless it holds n_vocab tokens
/// exactly, Error{kIo} where it cannot be read.
Vocabulary read_llama2c_vocabulary(std::filesystem::path const& path, std::size_t n_vocab);

/// Throws Error{kCorrupt} naming source and key where the parts contradict each other.
void check_vocabulary(Vocabulary const& vocabulary);

namespace detail {

/// The byte that a token "<0x0A>" stands for, or nothing for any other text.
constexpr std::optional<unsigned char> byte_of_token(std::string_view text) noexcept {
  auto const digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  int const high = digit(text[3]);
  int const low = digit(text[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<unsigned char>(high * 16 + low);
}

}  // namespace detail

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/text/vocabulary_impl.hpp"
#endif
