// Stages that move single logits: penalties for tokens that occurred lately, and biases that the caller sets.
//
// They look tokens up among the candidates, which is immediate as long as no token has been removed: put them first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/sampler/candidates.hpp"

namespace lamina::inline v0_1 {

struct PenaltyOptions {
  /// Divides positive logits and multiplies negative ones, 1 = off (Keskar et al., 2019, "CTRL"). Finite, > 0.
  float repetition = 1.0F;
  /// Subtracted once for each time that the token occurs. Finite; negative values encourage.
  float frequency = 0.0F;
  /// Subtracted once if the token occurs. Finite; negative values encourage.
  float presence = 0.0F;
  /// How many tokens of the history count, from its end.
  std::size_t window = 64;
};

/// Applies the three penalties to the tokens in the window. O(w log w) for w tokens.
class Penalties {
 public:
  explicit Penalties(PenaltyOptions options) : options_(options) {
    float const r = options.repetition;
    if (!(r > 0.0F && std::isfinite(r))) {
      fail(Errc::kInvalidArgument, "repetition penalty: ", r, ", expected a finite number > 0");
    }
    if (!std::isfinite(options.frequency)) {
      fail(Errc::kInvalidArgument, "frequency penalty: ", options.frequency, ", expected a finite number");
    }
    if (!std::isfinite(options.presence)) {
      fail(Errc::kInvalidArgument, "presence penalty: ", options.presence, ", expected a finite number");
    }
  }

  void operator()(Candidates& candidates) {
    if (options_.repetition == 1.0F && options_.frequency == 0.0F && options_.presence == 0.0F) return;
    auto const history = candidates.history();
    auto const recent = history.last(std::min(options_.window, history.size()));
    // Room for twice the history: it grows by a token each step, and steps shall not allocate.
    if (seen_.capacity() < recent.size()) seen_.reserve(std::min(options_.window, 2 * recent.size()));
    seen_.assign(recent.begin(), recent.end());
    std::sort(seen_.begin(), seen_.end());
    for (auto run = seen_.begin(); run != seen_.end();) {
      auto const end = std::find_if(run, seen_.end(), [id = *run](Token t) { return t != id; });
      if (auto const place = candidates.find(*run)) {
        float& logit = candidates.mutable_logits()[*place];
        logit = penalized(logit, static_cast<float>(end - run));
      }
      run = end;
    }
  }

 private:
  [[nodiscard]] float penalized(float logit, float count) const {
    float const scaled = logit > 0.0F ? logit / options_.repetition : logit * options_.repetition;
    // std::fma, so that the result does not depend on whether the compiler would fuse it.
    return std::fma(-count, options_.frequency, scaled) - options_.presence;
  }

  PenaltyOptions options_;
  std::vector<Token> seen_;
};

/// Adds a bias to the logits of some tokens; -infinity bans a token. O(number of biases).
class LogitBias {
 public:
  using Bias = std::pair<Token, float>;

  explicit LogitBias(std::vector<Bias> biases) : biases_(std::move(biases)) {
    for (auto const& [id, bias] : biases_) {
      if (id < 0) fail(Errc::kTokenOutOfRange, "logit_bias: token ", id, " is negative");
      if (!(bias <= std::numeric_limits<float>::max())) {
        fail(Errc::kInvalidArgument, "logit_bias: ", bias, " for token ", id, ", expected a number below infinity");
      }
    }
  }

  /// Throws Error{kTokenOutOfRange} for a token that is not in the vocabulary.
  void operator()(Candidates& candidates) const {
    for (auto const& [id, bias] : biases_) {
      if (static_cast<std::size_t>(id) >= candidates.vocabulary_size()) {
        fail(Errc::kTokenOutOfRange, "logit_bias: token ", id, ", the vocabulary has ", candidates.vocabulary_size());
      }
      if (auto const place = candidates.find(id)) candidates.mutable_logits()[*place] += bias;
    }
  }

 private:
  std::vector<Bias> biases_;
};

/// Throws Error{kInvalidArgument} for values outside the domains given at PenaltyOptions.
inline auto penalties(PenaltyOptions options) { return Penalties(options); }
inline auto repetition_penalty(float r, std::size_t window = 64) {
  return Penalties({.repetition = r, .window = window});
}
inline auto frequency_penalty(float f, std::size_t window = 64) {
  return Penalties({.frequency = f, .window = window});
}
inline auto presence_penalty(float p, std::size_t window = 64) { return Penalties({.presence = p, .window = window}); }

/// Throws Error{kTokenOutOfRange} for a negative token, Error{kInvalidArgument} for a bias of NaN or +infinity.
inline auto logit_bias(std::vector<LogitBias::Bias> biases) { return LogitBias(std::move(biases)); }

}  // namespace lamina::inline v0_1
