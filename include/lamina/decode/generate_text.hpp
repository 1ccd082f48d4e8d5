// generate_text: prompt in, text out.
//
//   for (std::string_view piece : generate_text(session, tokenizer, "Once upon a time", greedy())) std::cout << piece;
#pragma once

#include <concepts>
#include <span>
#include <string_view>
#include <utility>

#include "lamina/core/token.hpp"
#include "lamina/decode/text_generation.hpp"
#include "lamina/text/detokenizer.hpp"
#include "lamina/text/tokenizer.hpp"

namespace lamina::inline v0_1 {

/// A range of std::string_view: the text that follows `prompt`, in pieces of whole UTF-8 characters, up to a stop
/// string or stop token. Tokens that the vocabulary says end a generation (EOS, end of turn) are stop tokens, too.
/// Lifetimes and errors are those of generate(), and Error{kInvalidArgument} for an empty stop string or one that
/// begins inside a character; the tokenizer must outlive the range.
template <DecodingSession S, TokenSampler Sampler>
auto generate_text(S& session, Tokenizer const& tokenizer, std::span<Token const> prompt, Sampler&& sampler,
                   GenerateOptions options = {}) {
  options.is_stop_token = [&tokenizer, also = std::move(options.is_stop_token)](Token t) {
    return tokenizer.ends_generation(t) || (also && also(t));
  };
  StreamingDetokenizer decoder(tokenizer);
  // The prompt first: a space before the first word, or the rest of a character, belongs to the text then.
  for (Token const t : prompt) static_cast<void>(decoder.push(t));
  return detail::text_generation(session, std::move(decoder), prompt, std::forward<Sampler>(sampler),
                                 std::move(options));
}

/// The same for a prompt as text, encoded with BOS where the vocabulary asks for it.
template <DecodingSession S, TokenSampler Sampler>
auto generate_text(S& session, Tokenizer const& tokenizer, std::string_view prompt, Sampler&& sampler,
                   GenerateOptions options = {}) {
  auto const ids = tokenizer.encode(prompt);
  return generate_text(session, tokenizer, std::span<Token const>(ids), std::forward<Sampler>(sampler),
                       std::move(options));
}

/// With a callback: `on_text(std::string_view)` is called for each piece; if it returns bool, false ends the
/// generation.
template <DecodingSession S, class Prompt, TokenSampler Sampler, std::invocable<std::string_view> OnText>
GenerationResult generate_text(S& session, Tokenizer const& tokenizer, Prompt const& prompt, Sampler&& sampler,
                               GenerateOptions options, OnText&& on_text) {
  return detail::run_to_end(
      generate_text(session, tokenizer, prompt, std::forward<Sampler>(sampler), std::move(options)),
      [&](std::string_view piece) { return on_text(piece); });
}

}  // namespace lamina::inline v0_1
