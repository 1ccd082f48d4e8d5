// Final stages: greedy takes the best candidate, draw takes one at random by its probability.
#pragma once

#include <cstdint>

#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/sampler/candidates.hpp"
#include "lamina/sampler/random.hpp"
#include "lamina/sampler/stage.hpp"

namespace lamina::inline v0_1 {

/// The candidate of the highest logit, of the lowest id among equals.
struct Greedy {
  Token operator()(Candidates& candidates) const { return candidates[candidates.best()].id; }
};

/// A candidate at random, with probability softmax(logits). One number of the generator per token.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) noexcept : random_(seed) {}

  Token operator()(Candidates& candidates) {
    auto const weights = candidates.weights();
    std::uint64_t total = 0;
    for (float const w : weights) total += fixed_weight(w);
    std::uint64_t rest = random_.below(total);
    std::size_t i = 0;
    for (std::uint64_t w = fixed_weight(weights[0]); rest >= w; w = fixed_weight(weights[i])) {
      rest -= w;
      ++i;
    }
    return candidates.ids()[i];
  }

 private:
  Xoshiro256 random_;
};

inline auto greedy() { return Sampler(Greedy{}); }
/// Equal seeds give equal choices, on every platform.
inline auto draw(std::uint64_t seed) { return Sampler(Draw(seed)); }

}  // namespace lamina::inline v0_1
