// Candidates: the tokens that may come next, with their logits; what sampler stages pass on to each other.
//
// One object serves all steps: it holds its buffers, so that only the first step allocates. Order never decides a
// result: among equal logits the lowest id comes first, and probabilities are summed as integers, so that a run replays
// to the last token on any platform.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/sampler/vector_math.hpp"

namespace lamina::inline v0_1 {

/// A token and its logit. The order of preference: the higher logit, then the lower id.
struct Candidate {
  Token id = kNoToken;
  float logit = 0.0F;

  [[nodiscard]] constexpr bool before(Candidate other) const noexcept {
    return logit > other.logit || (logit == other.logit && id < other.id);
  }
};

/// A weight exp(logit - max) as an integer, in units of 2^-40: sums are exact, thus the same in any order.
/// A token of less than 2^-40 times the best one's probability (e^-27.7) counts as impossible.
constexpr std::uint64_t fixed_weight(float weight) noexcept {
  return weight > 0.0F ? static_cast<std::uint64_t>(weight * 0x1p40F) : 0;
}

class Candidates {
 public:
  /// Largest vocabulary: its weights' sum stays below 2^63.
  static constexpr std::size_t kMaxVocabulary = std::size_t{1} << 22;

  /// Starts a step: every token of the vocabulary is a candidate. `history` (the tokens so far) must live to the
  /// step's end. Logits of -infinity exclude a token. Throws Error{kNotFinite} for NaN or +infinity, or if every logit
  /// is -infinity; Error{kInvalidArgument} for no logits or more than kMaxVocabulary.
  void assign(std::span<float const> logits, std::span<Token const> history = {}) {
    if (logits.empty() || logits.size() > kMaxVocabulary) {
      fail(Errc::kInvalidArgument, "sampler: ", logits.size(), " logits, expected 1 to ", kMaxVocabulary);
    }
    history_ = history;
    restore_ids(logits.size());
    size_ = logits.size();
    std::copy(logits.begin(), logits.end(), logits_.begin());
    sorted_ = false;
    by_id_ = true;
    static_cast<void>(max_logit());
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Tokens that the step began with: valid ids are below this.
  [[nodiscard]] std::size_t vocabulary_size() const noexcept { return ids_.size(); }
  /// The tokens before the one to be chosen, oldest first.
  [[nodiscard]] std::span<Token const> history() const noexcept { return history_; }

  [[nodiscard]] Candidate operator[](std::size_t i) const noexcept { return {ids_[i], logits_[i]}; }
  [[nodiscard]] std::span<Token const> ids() const noexcept { return {ids_.data(), size_}; }
  [[nodiscard]] std::span<float const> logits() const noexcept { return {logits_.data(), size_}; }
  /// For stages that change logits. Ends sorted().
  [[nodiscard]] std::span<float> mutable_logits() noexcept {
    sorted_ = false;
    return {logits_.data(), size_};
  }

  /// The largest logit. Throws Error{kNotFinite} for NaN or +infinity among the logits, or where all are -infinity;
  /// Error{kInvalidArgument} where no candidate is left.
  [[nodiscard]] float max_logit() const {
    if (empty()) fail(Errc::kInvalidArgument, "sampler: a stage removed every candidate");
    float const max = detail::max_or_nan(logits());
    if (std::isnan(max)) fail_not_finite();
    if (max == detail::kNegativeInfinity) fail(Errc::kNotFinite, "sampler: every logit is -infinity");
    return max;
  }

  /// The place of the highest logit, of the lowest id among equals. Throws as max_logit() does.
  [[nodiscard]] std::size_t best() const {
    float const max = max_logit();
    std::size_t best = detail::next_at_least(logits(), 0, max);
    if (by_id_) return best;
    for (std::size_t i = best; i < size_; i = detail::next_at_least(logits(), i + 1, max)) {
      if (ids_[i] < ids_[best]) best = i;
    }
    return best;
  }

  /// The place of a token, if it is a candidate. Immediate while no token has been removed; logarithmic in order of id.
  [[nodiscard]] std::optional<std::size_t> find(Token id) const {
    if (by_id_ && size_ == ids_.size()) {
      return id >= 0 && static_cast<std::size_t>(id) < size_ ? std::optional(static_cast<std::size_t>(id))
                                                             : std::nullopt;
    }
    auto const all = ids();
    auto const at = by_id_ ? std::lower_bound(all.begin(), all.end(), id) : std::find(all.begin(), all.end(), id);
    if (at == all.end() || *at != id) return std::nullopt;
    return static_cast<std::size_t>(at - all.begin());
  }

  /// Keeps the candidates for which pred(Candidate) holds, in their order.
  template <std::predicate<Candidate> Pred>
  void keep_if(Pred pred) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      if (pred((*this)[i])) move_candidate(i, kept++);
    }
    shrink(kept);
  }

  /// Keeps the candidates up to and including `last` in the order of preference, in their present order.
  void keep_through(Candidate last) {
    std::size_t kept = 0;
    for (std::size_t i = next(0, last); i < size_; i = next(i + 1, last)) {
      if (!last.before((*this)[i])) move_candidate(i, kept++);
    }
    shrink(kept);
  }

  /// Keeps the first n, n >= 1.
  void keep_first(std::size_t n) noexcept { size_ = std::min(n, size_); }

  /// Puts the candidates in order of preference: O(n log n), for lists that are short by now. Throws as max_logit()
  /// does.
  void sort() {
    if (sorted_) return;
    static_cast<void>(max_logit());
    auto& places = select_best(size_);
    std::sort(places.begin(), places.end(), order());
    // From places to ids in two passes: in one, an id would be overwritten before its turn.
    for (auto& place : places) place.index = static_cast<std::uint32_t>(ids_[place.index]);
    for (std::size_t i = 0; i < size_; ++i) {
      ids_[i] = static_cast<Token>(places[i].index);
      logits_[i] = places[i].logit;
    }
    shrink(size_);
    by_id_ = false;
    sorted_ = true;
  }
  /// Whether the candidates are in order of preference.
  [[nodiscard]] bool sorted() const noexcept { return sorted_; }

  /// exp(logit - max_logit()) of each candidate, [size()], valid to the next call. Throws as max_logit() does.
  [[nodiscard]] std::span<float const> weights() {
    detail::exp_below(logits(), max_logit(), weights_.data());
    return {weights_.data(), size_};
  }

  /// The k-th candidate in order of preference, 1 <= k <= size(): O(size() + k), nothing is moved.
  /// Throws as max_logit() does.
  [[nodiscard]] Candidate kth_best(std::size_t k) {
    static_cast<void>(max_logit());
    auto& places = select_best(k);
    auto const kth = places.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(places.begin(), kth, places.end(), order());
    return (*this)[kth->index];
  }

  /// The first candidate, in order of preference, at which the sum of fixed_weight(weights()) reaches `share` of the
  /// whole, 0 < share <= 1: O(size()), nothing is moved. Throws as max_logit() does.
  [[nodiscard]] Candidate quantile(float share) {
    auto const all = weights();
    float const max = max_logit();
    // Mass by distance from the best logit, in steps of 1/16: only the candidates of one step have to be ordered.
    std::array<std::uint64_t, kSteps> step_mass{};
    for (std::size_t i = 0; i < size_; ++i) step_mass[step(max - logits_[i])] += fixed_weight(all[i]);
    std::uint64_t const total = std::accumulate(step_mass.begin(), step_mass.end(), std::uint64_t{0});
    auto need = static_cast<std::uint64_t>(std::ceil(static_cast<double>(share) * static_cast<double>(total)));
    need = std::clamp<std::uint64_t>(need, 1, total);
    std::size_t reached = 0;
    for (; need > step_mass[reached]; ++reached) need -= step_mass[reached];
    places_.clear();
    for (std::size_t i = 0; i < size_; ++i) {
      if (step(max - logits_[i]) == reached) places_.push_back({logits_[i], static_cast<std::uint32_t>(i)});
    }
    return reach(places_, need);
  }

 private:
  struct Place {
    float logit;
    std::uint32_t index;
  };

  /// The order of preference among places.
  struct Order {
    Token const* ids;
    bool operator()(Place a, Place b) const noexcept {
      return a.logit > b.logit || (a.logit == b.logit && ids[a.index] < ids[b.index]);
    }
  };
  [[nodiscard]] Order order() const noexcept { return {ids_.data()}; }

  [[nodiscard]] std::size_t next(std::size_t first, Candidate last) const {
    return detail::next_at_least(logits(), first, last.logit);
  }

  static constexpr std::size_t kSteps = 512;  // the last one holds all that is 32 or more below the best: no weight
  static std::size_t step(float distance) noexcept {
    return static_cast<std::size_t>(std::min(distance * 16.0F, static_cast<float>(kSteps - 1)));
  }

  void move_candidate(std::size_t from, std::size_t to) noexcept {
    ids_[to] = ids_[from];
    logits_[to] = logits_[from];
  }

  void shrink(std::size_t kept) noexcept {
    size_ = kept;
    changed_ids_ = std::max(changed_ids_, kept);
  }

  /// ids_ = 0, 1, 2, ...; between steps only the part that stages have overwritten.
  void restore_ids(std::size_t n) {
    if (ids_.size() != n) {
      ids_.resize(n);
      logits_.resize(n);
      weights_.resize(n);
      places_.reserve(n);
      changed_ids_ = n;
    }
    std::iota(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(changed_ids_), Token{0});
    changed_ids_ = 0;
  }

  /// The k best candidates in any order. Scans for those above the k-th best so far; the list is cut back to k each
  /// time it has doubled, which makes the worst case (ascending logits) linear, too.
  std::vector<Place>& select_best(std::size_t k) {
    places_.clear();
    float bound = detail::kNegativeInfinity;
    std::size_t const limit = std::min(2 * k, size_);
    for (std::size_t i = detail::next_at_least(logits(), 0, bound); i < size_;
         i = detail::next_at_least(logits(), i + 1, bound)) {
      places_.push_back({logits_[i], static_cast<std::uint32_t>(i)});
      if (places_.size() < limit || limit <= k) continue;
      cut_places(k);
      bound = places_[k - 1].logit;
    }
    if (places_.size() > k) cut_places(k);
    return places_;
  }

  void cut_places(std::size_t k) {
    auto const kth = places_.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(places_.begin(), kth, places_.end(), order());
    places_.resize(k);
  }

  [[nodiscard]] std::uint64_t mass(std::span<Place const> places) const noexcept {
    std::uint64_t sum = 0;
    for (Place const p : places) sum += fixed_weight(weights_[p.index]);
    return sum;
  }

  /// Quickselect by mass: halves the range that holds the place at which the sum reaches `need`.
  [[nodiscard]] Candidate reach(std::span<Place> places, std::uint64_t need) const {
    while (places.size() > 1) {
      std::size_t const half = places.size() / 2;
      std::nth_element(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(half), places.end(), order());
      std::uint64_t const upper = mass(places.first(half));
      if (upper >= need) {
        places = places.first(half);
      } else {
        need -= upper;
        places = places.subspan(half);
      }
    }
    return (*this)[places.front().index];
  }

  [[noreturn]] void fail_not_finite() const {
    for (std::size_t i = 0; i < size_; ++i) {
      if (!(logits_[i] <= std::numeric_limits<float>::max())) {
        fail(Errc::kNotFinite, "sampler: the logit of token ", ids_[i], " is ", logits_[i]);
      }
    }
    fail(Errc::kNotFinite, "sampler: the logits are not finite");
  }

  std::vector<Token> ids_;      // [vocabulary], the first size_ are candidates
  std::vector<float> logits_;   // the same
  std::vector<float> weights_;  // see weights()
  std::vector<Place> places_;   // scratch of select_best()
  std::span<Token const> history_;
  std::size_t size_ = 0;
  std::size_t changed_ids_ = 0;  // ids_[i] == i from here on
  bool sorted_ = false;          // in order of preference
  bool by_id_ = true;            // in ascending order of id
};

}  // namespace lamina::inline v0_1
