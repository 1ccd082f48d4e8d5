// How samplers are put together: stages that turn one list of candidates into another, and a last one that chooses.
//
//   auto sampler = top_k(40) | top_p(0.95F) | temperature(0.8F) | draw(seed);
//   Token next = sampler(logits, history);
//
// Anything copyable that can be called with a Candidates& is a stage: a lambda, a struct, another chain. Its state is
// in the object, so that a copy of a sampler replays what the original goes on to do.
#pragma once

#include <concepts>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>

#include "lamina/core/token.hpp"
#include "lamina/sampler/candidates.hpp"

namespace lamina::inline v0_1 {

/// Changes, orders or removes candidates: `void operator()(Candidates&)`.
template <class S>
concept SamplerStage = std::copy_constructible<S> && requires(S& stage, Candidates& candidates) {
  { stage(candidates) } -> std::same_as<void>;
};

/// Chooses one of the candidates and ends a chain: `Token operator()(Candidates&)`.
template <class S>
concept FinalStage = std::copy_constructible<S> && requires(S& stage, Candidates& candidates) {
  { stage(candidates) } -> std::same_as<Token>;
};

/// What decoding loops take: `Token operator()(logits, history)`, with logits [n_vocab] and the tokens so far.
template <class S>
concept TokenSampler = requires(S& sampler, std::span<float const> logits, std::span<Token const> history) {
  { sampler(logits, history) } -> std::convertible_to<Token>;
};

/// A stage, then another stage or a final one.
template <SamplerStage First, class Second>
  requires SamplerStage<Second> || FinalStage<Second>
struct Chain {
  [[no_unique_address]] First first;
  [[no_unique_address]] Second second;

  auto operator()(Candidates& candidates) {
    first(candidates);
    return second(candidates);
  }
};

/// A complete sampler: stages up to a final one, and the buffers they work in.
///
/// Only the first step (for a given size of vocabulary) allocates. One thread at a time; copies are independent.
template <FinalStage Stages>
class Sampler {
 public:
  using Stage = Stages;
  explicit Sampler(Stages stages) : stages_(std::move(stages)) {}

  /// Chooses the next token from logits [n_vocab]; `history` is what penalties look back at, oldest token first.
  /// Throws Error{kNotFinite} for NaN or +infinity among the logits, Error{kInvalidArgument} if the stages leave no
  /// candidate, and whatever a user's stage throws.
  Token operator()(std::span<float const> logits, std::span<Token const> history = {}) {
    candidates_.assign(logits, history);
    return stages_(candidates_);
  }

  /// A sampler is the final stage of a longer chain, too.
  Token operator()(Candidates& candidates) { return stages_(candidates); }

  [[nodiscard]] Stages const& stages() const noexcept { return stages_; }

 private:
  Stages stages_;
  Candidates candidates_;
};

/// `stage | stage` is a stage; `stage | final` is a Sampler. One of the two must be lamina's own (or wrapped by
/// stage()) for the operator to be found.
template <class Left, class Right>
  requires SamplerStage<std::remove_cvref_t<Left>> &&
           (SamplerStage<std::remove_cvref_t<Right>> || FinalStage<std::remove_cvref_t<Right>>)
constexpr auto operator|(Left&& left, Right&& right) {
  using First = std::remove_cvref_t<Left>;
  using Second = std::remove_cvref_t<Right>;
  Chain<First, Second> chain{std::forward<Left>(left), std::forward<Right>(right)};
  if constexpr (FinalStage<Second>) {
    return Sampler(std::move(chain));
  } else {
    return chain;
  }
}

namespace detail {
template <class F>
struct UserStage {
  [[no_unique_address]] F f;
  auto operator()(Candidates& candidates) { return std::invoke(f, candidates); }
};
}  // namespace detail

/// Makes a chain start with two stages that are not lamina's: `stage(my_lambda) | my_other_lambda | greedy()`.
template <class F>
  requires SamplerStage<F> || FinalStage<F>
auto stage(F f) {
  return detail::UserStage<F>{std::move(f)};
}

}  // namespace lamina::inline v0_1
