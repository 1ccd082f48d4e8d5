// What holds of every tokenizer and every text. A property that does not hold traps, which ends the fuzzer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/text/detokenizer.hpp"
#include "lamina/text/tokenizer.hpp"

namespace lamina::test {

/// A fuzzer's input, taken apart from the front.
class FuzzInput {
 public:
  explicit FuzzInput(std::string_view bytes) : bytes_(bytes) {}
  unsigned byte() { return bytes_.empty() ? 0 : static_cast<unsigned char>(take(1)[0]); }
  std::string_view take(std::size_t n) {
    auto const part = bytes_.substr(0, n);
    bytes_.remove_prefix(part.size());
    return part;
  }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

/// What SentencePiece takes for a space as one.
inline std::string with_spaces(std::string_view text) {
  std::string out;
  detail::append_unmarked(out, text);
  return out;
}

struct Round {
  bool is_complete;  // every byte has a token
  bool parse_special;
  bool is_exact;  // else a U+2581 may come back as a space
};

inline void require(bool holds) {
  if (!holds) __builtin_trap();
}

inline bool is_utf8(std::string_view text) {
  for (std::size_t pos = 0; pos < text.size();) {
    auto const step = detail::decode_utf8(text, pos);
    if (!step.valid) return false;
    pos += step.size;
  }
  return true;
}

/// What the detokenizer gives is UTF-8 at every step, and is the text of decode where that is UTF-8.
inline void check_stream(Tokenizer const& tokenizer, std::vector<Token> const& ids, std::string_view decoded) {
  StreamingDetokenizer stream(tokenizer);
  std::string streamed;
  for (Token const id : ids) {
    auto const part = stream.push(id);
    require(is_utf8(part));
    streamed += part;
  }
  streamed += stream.flush();
  require(is_utf8(streamed));
  if (is_utf8(decoded)) require(streamed == decoded);
}

inline void check_round(Tokenizer const& tokenizer, std::string_view text, Round const& round) {
  EncodeOptions const options{.parse_special = round.parse_special};
  std::vector<Token> ids;
  try {
    ids = tokenizer.encode(text, options);
  } catch (Error const&) {
    require(!round.is_complete);
    return;
  }
  for (Token const id : ids) require(id >= 0 && static_cast<std::size_t>(id) < tokenizer.size());
  std::string const decoded = tokenizer.decode(ids, options);
  if (round.is_complete) {
    require(round.is_exact ? decoded == text : with_spaces(decoded) == with_spaces(text));
  }
  check_stream(tokenizer, ids, tokenizer.decode(ids));
}

}  // namespace lamina::test
