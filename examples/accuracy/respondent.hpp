// Those who are asked: the model, and a draft that is measured against it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluation.hpp"
#include "lamina/decode/generate_text.hpp"
#include "lamina/model/session.hpp"
#include "lamina/sampler/sampler.hpp"
#include "lamina/text/chat_format.hpp"
#include "lamina/text/tokenizer.hpp"

namespace examples {

struct Answer {
  std::string text;
  std::vector<lamina::Token> tokens;
  bool ended = false;  // by a token that says so, which is not among the tokens
};

/// Answers questions, the likeliest token each time.
template <class M>
class Respondent {
 public:
  Respondent(M const& model, lamina::SessionOptions const& options, lamina::Tokenizer const& tokenizer)
      : session_(model, options), tokenizer_(tokenizer), format_(lamina::ChatFormat::detect(tokenizer)) {}

  [[nodiscard]] std::size_t capacity() const { return session_.capacity(); }

  [[nodiscard]] std::vector<lamina::Token> prompt(Question const& question) const {
    return format_.begin(std::span<lamina::ChatMessage const>(question.messages));
  }

  Answer answer(std::span<lamina::Token const> prompt, std::size_t max_tokens) {
    session_.truncate(0);
    Answer answer;
    auto const stop_tokens = format_.stop_tokens();
    auto const stop_strings = format_.stop_strings();
    auto const result = lamina::generate_text(session_, tokenizer_, prompt, lamina::greedy(),
                                              {.max_tokens = max_tokens,
                                               .stop_tokens = {stop_tokens.begin(), stop_tokens.end()},
                                               .stop_strings = {stop_strings.begin(), stop_strings.end()}},
                                              [&](std::string_view piece) { answer.text += piece; });
    // Some formats leave the space before the answer to the model.
    answer.text.erase(0, answer.text.find_first_not_of(" \n"));
    auto const generated = session_.tokens().subspan(prompt.size());
    answer.tokens.assign(generated.begin(), generated.end());
    if (result.pending) answer.tokens.push_back(*result.pending);
    answer.ended = result.finish == lamina::FinishReason::kStopToken;
    return answer;
  }

  /// Whether a token ends an answer.
  [[nodiscard]] bool ends(lamina::Token token) const {
    return tokenizer_.ends_generation(token) || std::ranges::count(format_.stop_tokens(), token) != 0;
  }

 private:
  lamina::Session<M> session_;
  lamina::Tokenizer const& tokenizer_;
  lamina::ChatFormat format_;
};

/// Says at each token of an answer what it would have said instead.
template <class M>
class Draft {
 public:
  Draft(M const& model, lamina::SessionOptions options, std::size_t capacity)
      : session_(model, with_logits(options, capacity)) {}

  /// `ends(token)`: whether a token ends an answer; at the end of one, any such token agrees.
  void compare(std::span<lamina::Token const> prompt, Answer const& answer, auto const& ends, Share& agreement) {
    session_.truncate(0);
    if (prompt.size() > 1) session_.prefill(prompt.first(prompt.size() - 1));
    // The input is one behind the answer: the prompt's last token foresees the answer's first.
    std::vector<lamina::Token> input{prompt.back()};
    input.insert(input.end(), answer.tokens.begin(), answer.tokens.end());
    if (!answer.ended) input.pop_back();
    for (std::size_t at = 0; at < input.size(); at += kRows) {
      std::size_t const n = std::min(kRows, input.size() - at);
      auto const logits = session_.evaluate(std::span(input).subspan(at, n));
      for (std::size_t r = 0; r < n; ++r) {
        lamina::Token const own = best(logits.row(r));
        agreement.add(at + r < answer.tokens.size() ? own == answer.tokens[at + r] : ends(own));
      }
    }
  }

 private:
  static constexpr std::size_t kRows = 32;

  static lamina::SessionOptions with_logits(lamina::SessionOptions options, std::size_t capacity) {
    options.capacity = capacity;
    options.prefill_chunk = std::max(options.prefill_chunk, kRows);
    options.max_logits = kRows;
    return options;
  }
  static lamina::Token best(std::span<float const> logits) {
    return static_cast<lamina::Token>(std::ranges::max_element(logits) - logits.begin());
  }

  lamina::Session<M> session_;
};

}  // namespace examples
