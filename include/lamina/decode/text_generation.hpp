// TextGeneration: a generation as a stream of text, with stop strings. Knows detokenizers by what they do.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lamina/core/token.hpp"
#include "lamina/decode/generate.hpp"
#include "lamina/decode/stop_strings.hpp"

namespace lamina::inline v0_1 {

/// Tokens in, whole characters out: push() gives the text that a token completes, maybe empty, valid to the next call;
/// flush() what is left at the end.
template <class D>
concept TextDecoder = requires(D& decoder, Token token) {
  { decoder.push(token) } -> std::convertible_to<std::string_view>;
  { decoder.flush() } -> std::convertible_to<std::string_view>;
};

/// A single-pass input range of pieces of text, none empty, each valid until the next ++. Pieces are whole UTF-8
/// characters if the decoder's are. What may be the start of a stop string waits until it is decided.
template <class Tokens, TextDecoder Decoder>
class TextGeneration {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(TextGeneration* generation) : generation_(generation) {}
    std::string_view operator*() const noexcept { return generation_->piece_; }
    Iterator& operator++() {
      generation_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return generation_->at_end_; }

   private:
    TextGeneration* generation_;
  };

  TextGeneration(Tokens tokens, Decoder decoder, StopStringMatcher matcher)
      : tokens_(std::move(tokens)), decoder_(std::move(decoder)), matcher_(std::move(matcher)) {}

  /// Evaluates the prompt, the first time. Throws as Generation::begin() does.
  Iterator begin() {
    if (!std::exchange(started_, true)) {
      auto const token = tokens_.begin();
      has_token_ = token != tokens_.end();
      advance();
    }
    return Iterator(this);
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  /// As Generation's.
  [[nodiscard]] FinishReason finish() const noexcept { return tokens_.finish(); }
  [[nodiscard]] GenerationStatistics const& statistics() const noexcept { return tokens_.statistics(); }
  [[nodiscard]] std::optional<Token> pending() const noexcept { return tokens_.pending(); }
  void stop(FinishReason reason) noexcept { tokens_.stop(reason); }

 private:
  /// The next piece that is not empty, or the end.
  void advance() {
    piece_.clear();
    while (piece_.empty() && !flushed_) {
      if (has_token_) {
        take_token();
      } else {
        flush();
      }
    }
    at_end_ = piece_.empty();
  }

  /// Decodes the current token, and asks for the next one when this one's piece has been consumed.
  void take_token() {
    auto token = tokens_.begin();
    if (consumed_) {
      ++token;
      consumed_ = false;
      has_token_ = token != tokens_.end();
      return;
    }
    consumed_ = true;
    if (matcher_.push(decoder_.push(*token), piece_)) {
      tokens_.stop(FinishReason::kStopString);
      has_token_ = false;
      flushed_ = true;
    }
  }

  void flush() {
    if (!matcher_.push(decoder_.flush(), piece_)) matcher_.flush(piece_);
    flushed_ = true;
  }

  Tokens tokens_;
  Decoder decoder_;
  StopStringMatcher matcher_;
  std::string piece_;
  bool started_ = false;
  bool has_token_ = false;  // tokens_ stands at a token
  bool consumed_ = false;   // its text has been taken
  bool flushed_ = false;    // no more text will come
  bool at_end_ = false;
};

namespace detail {
/// The range over a decoder that is given; stop strings go from the options to the matcher.
template <DecodingSession S, TextDecoder Decoder, TokenSampler Sampler>
auto text_generation(S& session, Decoder decoder, std::span<Token const> prompt, Sampler&& sampler,
                     GenerateOptions options) {
  StopStringMatcher matcher(std::exchange(options.stop_strings, {}));
  using Tokens = Generation<S, Sampler>;
  return TextGeneration<Tokens, Decoder>(Tokens(session, prompt, std::forward<Sampler>(sampler), std::move(options)),
                                         std::move(decoder), std::move(matcher));
}
}  // namespace detail

}  // namespace lamina::inline v0_1
