// StreamingDetokenizer: tokens in, whole characters out.
//
// A token may hold part of a character. What push and flush return is always valid UTF-8: the start of a character
// waits for the rest of it, and bytes that cannot be UTF-8 come out as U+FFFD, one for each maximal invalid part, as
// Unicode recommends. Tokenizer::decode gives the raw bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "lamina/core/token.hpp"
#include "lamina/text/tokenizer.hpp"
#include "lamina/text/unicode.hpp"

namespace lamina::inline v0_1 {

class StreamingDetokenizer {
 public:
  /// Reserves all it needs: push does not allocate.
  explicit StreamingDetokenizer(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {
    std::size_t const longest = kLongestCharacter + tokenizer_.longest_piece();
    pending_.reserve(longest);
    text_.reserve(longest * 3);  // a lone byte becomes U+FFFD, three bytes
  }

  /// The text that this token completes, maybe empty; valid until the next call. Control tokens give nothing; the space
  /// that encode puts before a text is left out, as in Tokenizer::decode. Throws Error{kTokenOutOfRange}.
  std::string_view push(Token token) {
    pending_ += tokenizer_.piece_in_text(token, prefix_due_);
    return take(false);
  }

  /// What is left of an unfinished character, as U+FFFD. Then starts anew.
  std::string_view flush() {
    prefix_due_ = true;
    return take(true);
  }

 private:
  static constexpr std::size_t kLongestCharacter = 4;  // bytes

  std::string_view take(bool all) {
    text_.clear();
    std::size_t pos = 0;
    while (pos < pending_.size()) {
      auto const step = detail::decode_utf8(pending_, pos);
      if (step.truncated && !all) break;
      detail::append_utf8(text_, step.code);
      pos += step.size;
    }
    pending_.erase(0, pos);
    return text_;
  }

  Tokenizer tokenizer_;
  bool prefix_due_ = true;
  std::string pending_;  // before a push less than a character
  std::string text_;
};

}  // namespace lamina::inline v0_1
