// StreamingDetokenizer: tokens in, whole characters out.
//
// A token may hold part of a character. What push and flush return is always valid UTF-8: the start of a character
// waits for the rest of it, and bytes that cannot be UTF-8 come out as U+FFFD, one for each maximal invalid part, as
// Unicode recommends. Tokenizer::decode gives the raw bytes.
#pragma once

#include <string>
#include <string_view>

#include "lamina/text/tokenizer.hpp"

namespace lamina::inline v0_1 {

class StreamingDetokenizer {
 public:
  /// The tokenizer must outlive it. Reserves all it needs: push does not allocate.
  explicit StreamingDetokenizer(Tokenizer const& tokenizer);

  /// The text that this token completes, maybe empty; valid until the next call. Control tokens give nothing; the space
  /// that encode puts before a text is left out, as in Tokenizer::decode. Throws Error{kTokenOutOfRange}.
  std::string_view push(Token token);

  /// What is left of an unfinished character, as U+FFFD. Then starts anew.
  std::string_view flush();
};

}  // namespace lamina::inline v0_1
