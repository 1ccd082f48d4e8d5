// Stages that narrow or reshape the distribution: temperature, top-k, top-p, min-p.
//
// None of them sorts the vocabulary: a cut is found by selection in linear time, then candidates beyond it are removed,
// the others keep their order. n is the number of candidates that a stage receives.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>

#include "lamina/core/error.hpp"
#include "lamina/sampler/candidates.hpp"

namespace lamina::inline v0_1 {

/// Divides the logits by t, after moving their maximum to zero; t = 0 leaves the best candidate only. O(n).
class Temperature {
 public:
  explicit Temperature(float t) : t_(t) {
    if (!(t >= 0.0F && t <= std::numeric_limits<float>::max())) {
      fail(Errc::kInvalidArgument, "temperature: ", t, ", expected a finite number >= 0");
    }
  }

  void operator()(Candidates& candidates) const {
    if (t_ == 0.0F) {
      candidates.keep_through(candidates[candidates.best()]);
    } else if (t_ != 1.0F) {
      float const max = candidates.max_logit();
      detail::shift_and_divide(candidates.mutable_logits(), max, t_);
    }
  }

 private:
  float t_;
};

/// Keeps the k best. O(n).
class TopK {
 public:
  explicit TopK(std::size_t k) : k_(k) {
    if (k == 0) fail(Errc::kInvalidArgument, "top_k: 0, expected at least 1");
  }

  void operator()(Candidates& candidates) const {
    if (k_ >= candidates.size()) return;
    if (candidates.sorted()) return candidates.keep_first(k_);
    candidates.keep_through(candidates.kth_best(k_));
  }

 private:
  std::size_t k_;
};

/// Keeps the fewest best candidates whose probabilities sum to at least p. O(n).
/// Holtzman et al., 2020, "The Curious Case of Neural Text Degeneration".
class TopP {
 public:
  explicit TopP(float p) : p_(p) {
    if (!(p > 0.0F && p <= 1.0F)) fail(Errc::kInvalidArgument, "top_p: ", p, ", expected 0 < p <= 1");
  }

  void operator()(Candidates& candidates) const {
    if (p_ < 1.0F) candidates.keep_through(candidates.quantile(p_));
  }

 private:
  float p_;
};

/// Keeps the candidates of at least p times the best one's probability. O(n).
/// Nguyen et al., 2024, "Turning Up the Heat: Min-p Sampling".
class MinP {
 public:
  /// The logarithm is rounded from double: libraries differ in its last bit at most, which the rounding hides but for
  /// one p in some 2^28.
  explicit MinP(float p) : log_p_(static_cast<float>(std::log(static_cast<double>(p)))) {
    if (!(p >= 0.0F && p <= 1.0F)) fail(Errc::kInvalidArgument, "min_p: ", p, ", expected 0 <= p <= 1");
  }

  void operator()(Candidates& candidates) const {
    if (log_p_ == -std::numeric_limits<float>::infinity()) return;
    float const bound = candidates.max_logit() + log_p_;
    candidates.keep_through({std::numeric_limits<Token>::max(), bound});
  }

 private:
  float log_p_;
};

/// Throws Error{kInvalidArgument} unless t is finite and >= 0.
inline auto temperature(float t) { return Temperature(t); }
/// Throws Error{kInvalidArgument} for k = 0.
inline auto top_k(std::size_t k) { return TopK(k); }
/// Throws Error{kInvalidArgument} unless 0 < p <= 1.
inline auto top_p(float p) { return TopP(p); }
/// Throws Error{kInvalidArgument} unless 0 <= p <= 1.
inline auto min_p(float p) { return MinP(p); }

}  // namespace lamina::inline v0_1
