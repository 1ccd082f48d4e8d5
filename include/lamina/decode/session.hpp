// What decoding loops know of a session: tokens go in, logits come out.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <stop_token>

#include "lamina/core/token.hpp"

namespace lamina::inline v0_1 {

/// One conversation with a model.
///
///   prefill(tokens, stop)  appends them; the logits after the last one, [n_vocab], valid to the next call
///   step(token, stop)      the same for one token
///   tokens()               everything that was appended, oldest first; length() is its size
///   capacity()             tokens that fit
///   require_room(n)        throws Error{kContextFull} where n more tokens do not fit
/// Both calls throw Error{kCancelled} where `stop` was requested, Error{kContextFull} where the tokens do not fit,
/// Error{kTokenOutOfRange}; the session is then as it was before the call, or holds a whole number of prompt chunks
/// more.
template <class S>
concept DecodingSession = requires(S& session, S const& const_session, std::span<Token const> tokens, Token token,
                                   std::size_t n, std::stop_token stop) {
  { session.prefill(tokens, stop) } -> std::convertible_to<std::span<float const>>;
  { session.step(token, stop) } -> std::convertible_to<std::span<float const>>;
  { const_session.tokens() } -> std::convertible_to<std::span<Token const>>;
  { const_session.length() } -> std::convertible_to<std::size_t>;
  { const_session.capacity() } -> std::convertible_to<std::size_t>;
  { const_session.require_room(n) };
};

}  // namespace lamina::inline v0_1
