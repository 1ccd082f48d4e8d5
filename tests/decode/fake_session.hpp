// A session without a model: after token t the likeliest next one is t + 1, then t + 2, by a wide margin.
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"

namespace lamina::test {

class FakeSession {
 public:
  explicit FakeSession(std::size_t n_vocab = 100, std::size_t capacity = 1000) : logits_(n_vocab), capacity_(capacity) {
    tokens_.reserve(capacity);
  }

  std::span<float const> prefill(std::span<Token const> tokens, std::stop_token stop = {}) {
    prefills.push_back(tokens.size());
    for (Token const t : tokens) append(t, stop);
    return logits();
  }
  std::span<float const> step(Token token, std::stop_token stop = {}) {
    append(token, stop);
    return logits();
  }
  [[nodiscard]] std::span<Token const> tokens() const { return tokens_; }
  [[nodiscard]] std::size_t length() const { return tokens_.size(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  void require_room(std::size_t n) const {
    if (n > capacity_ - tokens_.size()) fail(Errc::kContextFull, "fake: full");
  }

  std::vector<std::size_t> prefills;  // lengths of the calls

 private:
  void append(Token token, std::stop_token const& stop) {
    if (stop.stop_requested()) fail(Errc::kCancelled, "fake: cancelled");
    require_room(1);
    tokens_.push_back(token);
  }
  std::span<float const> logits() {
    for (float& x : logits_) x = 0.0F;
    auto const last = static_cast<std::size_t>(tokens_.back());
    logits_[(last + 2) % logits_.size()] = 20.0F;
    logits_[(last + 1) % logits_.size()] = 40.0F;
    return logits_;
  }

  std::vector<float> logits_;
  std::vector<Token> tokens_;
  std::size_t capacity_;
};

}  // namespace lamina::test
