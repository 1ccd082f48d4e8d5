// How a vocabulary is read and checked. See compiled.hpp.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/mapped_file.hpp"
#include "lamina/core/token.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/metadata.hpp"
#include "lamina/text/vocabulary.hpp"

namespace lamina::inline v0_1 {

namespace detail {

struct PreTokenizerName {
  std::string_view name;  // value of tokenizer.ggml.pre
  PreTokenizer kind;
  bool ignore_merges = false;
  bool add_bos = false;  // where the file does not say
};

// Names that share a list of regular expressions share a kind.
inline constexpr PreTokenizerName kPreTokenizerNames[] = {
    {"default", PreTokenizer::kDefault},
    {"gpt-2", PreTokenizer::kGpt2},
    {"phi-2", PreTokenizer::kGpt2},
    {"mpt", PreTokenizer::kGpt2},
    {"olmo", PreTokenizer::kGpt2},
    {"jais", PreTokenizer::kGpt2},
    {"exaone4", PreTokenizer::kGpt2},
    {"modern-bert", PreTokenizer::kGpt2},
    {"llama-bpe", PreTokenizer::kLlama3, true, true},
    {"llama3", PreTokenizer::kLlama3, true, true},
    {"llama-v3", PreTokenizer::kLlama3, true, true},
    {"falcon3", PreTokenizer::kLlama3, true, true},
    {"pixtral", PreTokenizer::kLlama3, true, true},
    {"lfm2", PreTokenizer::kLlama3, true, true},
    {"dbrx", PreTokenizer::kLlama3},
    {"smaug-bpe", PreTokenizer::kLlama3},
    {"qwen2", PreTokenizer::kQwen2},
    {"deepseek-r1-qwen", PreTokenizer::kQwen2},
    {"stablelm2", PreTokenizer::kQwen2},
    {"megrez", PreTokenizer::kQwen2},
    {"deepseek-llm", PreTokenizer::kDeepseekLlm},
    {"falcon", PreTokenizer::kFalcon},
};

inline void read_pre_tokenizer(Metadata const& metadata, Vocabulary& vocabulary) {
  constexpr std::string_view kKey = "tokenizer.ggml.pre";
  auto const name = metadata.get<std::string_view>(kKey).value_or("default");
  for (auto const& known : kPreTokenizerNames) {
    if (known.name != name) continue;
    vocabulary.pre = known.kind;
    vocabulary.ignore_merges = known.ignore_merges;
    vocabulary.add_bos = known.add_bos;
    return;
  }
  fail(Errc::kUnsupported, metadata.source(), ": key '", kKey, "': pre-tokenizer '", printable(name), "' is unknown");
}

/// The special ids: what the file says, else what SentencePiece gives them by convention.
inline void read_special_tokens(Metadata const& metadata, Vocabulary& vocabulary) {
  bool const by_convention = vocabulary.model == TokenizerModel::kSentencePiece && vocabulary.tokens.size() > 2;
  auto const read = [&](std::string_view key, Token convention) {
    return metadata.get<Token>(key).value_or(by_convention ? convention : kNoToken);
  };
  vocabulary.bos = read("tokenizer.ggml.bos_token_id", 1);
  vocabulary.eos = read("tokenizer.ggml.eos_token_id", 2);
  vocabulary.unknown = read("tokenizer.ggml.unknown_token_id", 0);
  vocabulary.eot = read("tokenizer.ggml.eot_token_id", kNoToken);
  vocabulary.eom = read("tokenizer.ggml.eom_token_id", kNoToken);
  bool const add_bos_by_kind = vocabulary.add_bos && vocabulary.bos != kNoToken;
  vocabulary.add_bos = metadata.get<bool>("tokenizer.ggml.add_bos_token").value_or(add_bos_by_kind);
  vocabulary.add_eos = metadata.get<bool>("tokenizer.ggml.add_eos_token").value_or(false);
}

inline TokenType token_type(Metadata const& metadata, std::int32_t value, std::size_t i) {
  if (value < 0 || value > 6) {
    fail(Errc::kCorrupt, metadata.source(), ": key 'tokenizer.ggml.token_type' element ", i, " is ", value,
         ", expected 0 to 6");
  }
  return static_cast<TokenType>(value);
}

inline std::vector<std::string> read_strings(Metadata const& metadata, std::string_view key) {
  auto const views = metadata.require_array<std::string_view>(key);
  return {views.begin(), views.end()};
}

inline void check_id(Vocabulary const& vocabulary, std::string_view key, Token id) {
  if (id == kNoToken || (id >= 0 && static_cast<std::size_t>(id) < vocabulary.tokens.size())) return;
  fail(Errc::kCorrupt, vocabulary.source, ": key '", key, "' is ", id, ", the vocabulary has ",
       vocabulary.tokens.size(), " tokens");
}

inline void check_size(Vocabulary const& vocabulary, std::string_view key, std::size_t size) {
  if (size == vocabulary.tokens.size()) return;
  fail(Errc::kCorrupt, vocabulary.source, ": key '", key, "' has ", size, " elements, the vocabulary has ",
       vocabulary.tokens.size(), " tokens");
}

}  // namespace detail

LAMINA_INLINE void check_vocabulary(Vocabulary const& vocabulary) {
  if (vocabulary.tokens.empty() ||
      vocabulary.tokens.size() > static_cast<std::size_t>(std::numeric_limits<Token>::max())) {
    fail(Errc::kCorrupt, vocabulary.source, ": key 'tokenizer.ggml.tokens' has ", vocabulary.tokens.size(),
         " elements, expected 1 to 2^31 - 1");
  }
  detail::check_size(vocabulary, "tokenizer.ggml.token_type", vocabulary.types.size());
  if (vocabulary.model == TokenizerModel::kSentencePiece || !vocabulary.scores.empty()) {
    detail::check_size(vocabulary, "tokenizer.ggml.scores", vocabulary.scores.size());
  }
  for (std::size_t i = 0; i < vocabulary.scores.size(); ++i) {
    if (!std::isnan(vocabulary.scores[i])) continue;
    fail(Errc::kCorrupt, vocabulary.source, ": key 'tokenizer.ggml.scores' element ", i, " is not a number");
  }
  detail::check_id(vocabulary, "tokenizer.ggml.bos_token_id", vocabulary.bos);
  detail::check_id(vocabulary, "tokenizer.ggml.eos_token_id", vocabulary.eos);
  detail::check_id(vocabulary, "tokenizer.ggml.eot_token_id", vocabulary.eot);
  detail::check_id(vocabulary, "tokenizer.ggml.eom_token_id", vocabulary.eom);
  detail::check_id(vocabulary, "tokenizer.ggml.unknown_token_id", vocabulary.unknown);
  for (auto const& [asked, key, id] :
       {std::tuple(vocabulary.add_bos, "bos", vocabulary.bos), std::tuple(vocabulary.add_eos, "eos", vocabulary.eos)}) {
    if (!asked || id != kNoToken) continue;
    fail(Errc::kCorrupt, vocabulary.source, ": key 'tokenizer.ggml.add_", key,
         "_token' is true, but there is no 'tokenizer.ggml.", key, "_token_id'");
  }
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    if (!is_special(vocabulary.types[i]) || vocabulary.tokens[i].size() <= kMaxSpecialBytes) continue;
    fail(Errc::kCorrupt, vocabulary.source, ": key 'tokenizer.ggml.tokens' element ", i, " '",
         detail::printable(vocabulary.tokens[i]), "' is a special token of ", vocabulary.tokens[i].size(),
         " bytes, expected up to ", kMaxSpecialBytes);
  }
  if (vocabulary.model != TokenizerModel::kSentencePiece) return;
  for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    if (vocabulary.types[i] != TokenType::kByte || detail::byte_of_token(vocabulary.tokens[i])) continue;
    fail(Errc::kCorrupt, vocabulary.source, ": key 'tokenizer.ggml.tokens' element ", i, " '",
         detail::printable(vocabulary.tokens[i]), "' is of type byte, expected '<0xNN>'");
  }
}

LAMINA_INLINE Vocabulary read_vocabulary(Metadata const& metadata) {
  Vocabulary vocabulary;
  vocabulary.source = metadata.source();
  constexpr std::string_view kModelKey = "tokenizer.ggml.model";
  auto const model = metadata.require<std::string_view>(kModelKey);
  vocabulary.tokens = detail::read_strings(metadata, "tokenizer.ggml.tokens");
  if (model == "llama") {
    vocabulary.model = TokenizerModel::kSentencePiece;
    vocabulary.add_bos = true;
    vocabulary.add_space_prefix = metadata.get<bool>("tokenizer.ggml.add_space_prefix").value_or(true);
    vocabulary.scores = metadata.require_array<float>("tokenizer.ggml.scores");
  } else if (model == "gpt2") {
    vocabulary.model = TokenizerModel::kByteLevelBpe;
    vocabulary.merges = detail::read_strings(metadata, "tokenizer.ggml.merges");
    detail::read_pre_tokenizer(metadata, vocabulary);
  } else {
    fail(Errc::kUnsupported, metadata.source(), ": key '", kModelKey, "': tokenizer model '", detail::printable(model),
         "' is unknown, expected 'llama' or 'gpt2'");
  }
  if (auto const types = metadata.get_array<std::int32_t>("tokenizer.ggml.token_type")) {
    vocabulary.types.reserve(types->size());
    for (std::int32_t const type : *types) {
      vocabulary.types.push_back(detail::token_type(metadata, type, vocabulary.types.size()));
    }
  } else {
    vocabulary.types.assign(vocabulary.tokens.size(), TokenType::kNormal);
  }
  detail::read_special_tokens(metadata, vocabulary);
  vocabulary.chat_template = metadata.get<std::string_view>("tokenizer.chat_template").value_or("");
  check_vocabulary(vocabulary);
  return vocabulary;
}

LAMINA_INLINE Vocabulary read_llama2c_vocabulary(std::filesystem::path const& path, std::size_t n_vocab) {
  constexpr std::size_t kFirstByte = 3;
  constexpr std::size_t kFirstPiece = kFirstByte + 256;
  MappedFile const file(path);
  Vocabulary vocabulary;
  vocabulary.source = path.string();
  if (n_vocab < kFirstPiece) {
    fail(Errc::kCorrupt, vocabulary.source, ": a vocabulary of ", n_vocab, " tokens, expected at least ", kFirstPiece);
  }
  detail::ByteReader reader(file.bytes(), vocabulary.source);
  reader.read<std::uint32_t>("length of the longest token");
  // Every token takes 8 bytes or more, so that a short file cannot ask for much memory.
  if (n_vocab > reader.remaining() / 8) {
    reader.fail_here(Errc::kCorrupt, n_vocab, " tokens do not fit into the ", reader.remaining(),
                     " bytes that are left");
  }
  vocabulary.types.assign(n_vocab, TokenType::kNormal);
  for (std::size_t i = 0; i < n_vocab; ++i) {
    vocabulary.scores.push_back(reader.read<float>("score of a token"));
    auto const length = reader.read<std::uint32_t>("length of a token");
    vocabulary.tokens.emplace_back(detail::as_text(reader.take(length, "token")));
    if (i >= kFirstByte && i < kFirstPiece) vocabulary.types[i] = TokenType::kByte;
  }
  if (reader.remaining() != 0) {
    reader.fail_here(Errc::kCorrupt, reader.remaining(), " bytes follow the last of ", n_vocab, " tokens");
  }
  // The file writes <s> and </s> between line breaks, for printing.
  constexpr std::pair<std::string_view, TokenType> kSpecial[kFirstByte] = {
      {"<unk>", TokenType::kUnknown}, {"<s>", TokenType::kControl}, {"</s>", TokenType::kControl}};
  for (std::size_t i = 0; i < kFirstByte; ++i) {
    vocabulary.tokens[i] = kSpecial[i].first;
    vocabulary.types[i] = kSpecial[i].second;
  }
  vocabulary.unknown = 0;
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.add_bos = true;
  vocabulary.add_space_prefix = true;
  check_vocabulary(vocabulary);
  return vocabulary;
}

}  // namespace lamina::inline v0_1
