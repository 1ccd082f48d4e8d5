// generate: the decoding loop, as a range of tokens and with a callback.
//
//   for (Token t : generate(session, prompt, sampler, {.max_tokens = 128})) ...
//
// The range is lazy: the prompt is evaluated by begin(), each further token by ++. Breaking off is free.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/decode/options.hpp"
#include "lamina/decode/session.hpp"
#include "lamina/sampler/stage.hpp"

namespace lamina::inline v0_1 {

namespace detail {

/// A value that can be assigned by moving even where T cannot be, as most lambdas; a range needs that to be piped on.
template <class T>
class Held {
 public:
  explicit Held(T&& value) : value_(std::in_place, std::move(value)) {}
  Held(Held&&) = default;
  Held& operator=(Held&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (this != &other) value_.emplace(*std::move(other.value_));
    return *this;
  }
  ~Held() = default;
  T& operator*() noexcept { return *value_; }

 private:
  std::optional<T> value_;  // empty only where moving a T threw: the generation is then not to be used
};

/// The caller's object.
template <class T>
class Held<T&> {
 public:
  explicit Held(T& value) noexcept : value_(&value) {}
  T& operator*() const noexcept { return *value_; }

 private:
  T* value_;
};

}  // namespace detail

/// A generation under way: a single-pass input range of tokens. After the loop, finish() and statistics() tell about
/// it.
///
/// A token enters the session only when the next one is asked for. So the last token of a run is not in the session:
/// pending() gives it, to be put in front of the next prompt of a conversation. `SamplerRef` is a sampler, or a
/// reference to one, whose state then goes on in the caller's object.
template <DecodingSession S, class SamplerRef>
  requires TokenSampler<std::remove_reference_t<SamplerRef>>
class Generation {
 public:
  class Iterator {
   public:
    using value_type = Token;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(Generation* generation) : generation_(generation) {}
    Token operator*() const noexcept { return *generation_->pending_; }
    Iterator& operator++() {
      generation_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return generation_->finish_ != FinishReason::kRunning; }

   private:
    Generation* generation_;
  };

  /// See generate().
  Generation(S& session, std::span<Token const> prompt, SamplerRef sampler, GenerateOptions options)
      : session_(&session),
        prompt_(prompt.begin(), prompt.end()),
        sampler_(std::forward<SamplerRef>(sampler)),
        options_(std::move(options)) {
    if (prompt.empty()) fail(Errc::kInvalidArgument, "generate: the prompt is empty");
    session.require_room(prompt.size());
    if (options_.progress_interval == 0) fail(Errc::kInvalidArgument, "generate: progress_interval is 0");
    statistics_.prompt_tokens = prompt.size();
  }

  /// The first call evaluates the prompt; a later one goes on where the range is. Throws what the session and the
  /// sampler throw, but for kCancelled, which ends the range.
  Iterator begin() {
    if (!std::exchange(started_, true)) {
      detail::ScopedTimer const timer(statistics_.first_token_seconds);
      attempt([&] { start(); });
    }
    return Iterator(this);
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  /// Why the range has ended; kRunning before that.
  [[nodiscard]] FinishReason finish() const noexcept { return finish_; }
  [[nodiscard]] GenerationStatistics const& statistics() const noexcept { return statistics_; }
  /// The token that was generated, but not put into the session.
  [[nodiscard]] std::optional<Token> pending() const noexcept { return pending_; }

  /// Ends the range for a reason that it cannot see.
  void stop(FinishReason reason) noexcept { finish_ = reason; }

 private:
  void start() {
    std::span<float const> logits;
    {
      detail::ScopedTimer const timer(statistics_.prefill_seconds);
      logits = prefill();
    }
    choose(logits);
  }

  /// The whole prompt in one call, or in parts where somebody watches: the logits' bits do not depend on it.
  std::span<float const> prefill() {
    std::span<Token const> const prompt(prompt_);
    if (!options_.on_prefill) return session_->prefill(prompt, options_.cancel);
    std::span<float const> logits;
    for (std::size_t done = 0; done < prompt.size();) {
      std::size_t const n = std::min(options_.progress_interval, prompt.size() - done);
      logits = session_->prefill(prompt.subspan(done, n), options_.cancel);
      done += n;
      options_.on_prefill(done, prompt.size());
    }
    return logits;
  }

  void advance() {
    if (finish_ != FinishReason::kRunning) return;
    if (statistics_.generated_tokens == options_.max_tokens) return stop(FinishReason::kMaxTokens);
    if (session_->length() == session_->capacity()) return stop(FinishReason::kContextFull);
    detail::ScopedTimer const timer(statistics_.decode_seconds);
    attempt([&] {
      auto const logits = session_->step(*pending_, options_.cancel);
      pending_.reset();
      ++statistics_.steps;
      choose(logits);
    });
  }

  void choose(std::span<float const> logits) {
    if (options_.max_tokens == 0) return stop(FinishReason::kMaxTokens);
    if (options_.cancel.stop_requested()) return stop(FinishReason::kCancelled);
    Token const token = (*sampler_)(logits, session_->tokens());
    if (is_stop(token)) return stop(FinishReason::kStopToken);
    pending_ = token;
    ++statistics_.generated_tokens;
  }

  [[nodiscard]] bool is_stop(Token token) const {
    auto const& stops = options_.stop_tokens;
    return std::find(stops.begin(), stops.end(), token) != stops.end() ||
           (options_.is_stop_token && options_.is_stop_token(token));
  }

  template <class F>
  void attempt(F f) {
    try {
      f();
    } catch (Error const& e) {
      if (e.code() != Errc::kCancelled) throw;
      stop(FinishReason::kCancelled);
    }
  }

  S* session_;
  std::vector<Token> prompt_;
  detail::Held<SamplerRef> sampler_;
  GenerateOptions options_;
  GenerationStatistics statistics_;
  std::optional<Token> pending_;
  FinishReason finish_ = FinishReason::kRunning;
  bool started_ = false;
};

/// A range of the tokens that follow `prompt`, which is appended to what the session holds already.
///
/// `sampler` may be an lvalue (its state goes on in the caller's object) or a temporary (it moves in). The session, and
/// the sampler if it is an lvalue, must outlive the range; the prompt is copied. Ends by a reason of FinishReason.
/// Throws Error{kInvalidArgument} for an empty prompt and for stop strings (see generate_text()), Error{kContextFull}
/// where the prompt does not fit.
template <DecodingSession S, TokenSampler Sampler>
auto generate(S& session, std::span<Token const> prompt, Sampler&& sampler, GenerateOptions options = {}) {
  if (!options.stop_strings.empty()) {
    fail(Errc::kInvalidArgument, "generate: stop strings need a tokenizer; use generate_text");
  }
  return Generation<S, Sampler>(session, prompt, std::forward<Sampler>(sampler), std::move(options));
}

/// What the callback form gives back.
struct GenerationResult {
  FinishReason finish = FinishReason::kRunning;
  GenerationStatistics statistics;
  std::optional<Token> pending;  // see Generation
};

namespace detail {
/// Calls f with each element of the range; where f returns bool, false ends it.
template <class Range, class F>
GenerationResult run_to_end(Range&& range, F f) {
  for (auto&& element : range) {
    if constexpr (std::is_same_v<std::invoke_result_t<F&, decltype(element)>, bool>) {
      if (f(element)) continue;
      range.stop(FinishReason::kCaller);
      break;
    } else {
      f(element);
    }
  }
  return {range.finish(), range.statistics(), range.pending()};
}
}  // namespace detail

/// The same with a callback: `on_token(Token)` is called for each token; if it returns bool, false ends the generation.
template <DecodingSession S, TokenSampler Sampler, std::invocable<Token> OnToken>
GenerationResult generate(S& session, std::span<Token const> prompt, Sampler&& sampler, GenerateOptions options,
                          OnToken&& on_token) {
  return detail::run_to_end(generate(session, prompt, std::forward<Sampler>(sampler), std::move(options)),
                            [&](Token t) { return on_token(t); });
}

}  // namespace lamina::inline v0_1
