// A conversation: its messages, and a session that holds as much of them as the context takes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/decode/generate_text.hpp"
#include "lamina/model/session.hpp"
#include "lamina/text/chat_format.hpp"

namespace examples {

template <class M, class Sampler>
class Conversation {
 public:
  Conversation(M const& model, lamina::SessionOptions const& options, lamina::Tokenizer const& tokenizer,
               lamina::ChatFormat format, Sampler sampler, std::size_t max_tokens, std::string system)
      : session_(model, options),
        tokenizer_(tokenizer),
        format_(std::move(format)),
        sampler_(std::move(sampler)),
        max_tokens_(max_tokens),
        system_(std::move(system)) {
    reset();
  }

  void reset() {
    messages_.clear();
    session_.truncate(0);
    statistics_ = {};
    if (!system_.empty()) messages_.push_back({lamina::Role::kSystem, system_});
  }

  /// Streams the answer to stdout. An answer that was stopped stays in the history as far as it came; a message that
  /// found no answer does not. Throws lamina::Error{kContextFull} for a message that the context has no room for.
  void answer(std::string message, std::stop_token const& cancel) {
    messages_.push_back({lamina::Role::kUser, std::move(message)});
    std::vector<lamina::Token> const ids = fit();
    // What the session holds of this text already, it need not compute again: mostly all but the new message.
    auto const known = session_.tokens();
    auto const differ = std::mismatch(known.begin(), known.end(), ids.begin(), ids.end() - 1);
    auto const shared = static_cast<std::size_t>(differ.first - known.begin());
    session_.truncate(shared);

    std::string text;
    auto const stops = format_.stop_strings();
    auto const tokens = format_.stop_tokens();
    auto const result =
        lamina::generate_text(session_, tokenizer_, std::span<lamina::Token const>(ids).subspan(shared), sampler_,
                              {.max_tokens = max_tokens_,
                               .stop_tokens = {tokens.begin(), tokens.end()},
                               .stop_strings = {stops.begin(), stops.end()},
                               .cancel = cancel},
                              [&](std::string_view piece) {
                                // Some formats leave the space before the answer to the model.
                                if (text.empty())
                                  piece.remove_prefix(std::min(piece.find_first_not_of(" \n"), piece.size()));
                                text += piece;
                                std::fwrite(piece.data(), 1, piece.size(), stdout);
                                std::fflush(stdout);
                              });
    std::puts("");
    std::fflush(stdout);
    statistics_ = result.statistics;
    if (text.empty()) {
      messages_.pop_back();
    } else {
      messages_.push_back({lamina::Role::kAssistant, text});
    }
    using enum lamina::FinishReason;
    if (result.finish == kCancelled) std::fputs("(stopped)\n", stderr);
    if (result.finish == kContextFull) std::fputs("(the answer ends here: the context is full)\n", stderr);
  }

  void print_statistics(double load_seconds) const {
    std::fprintf(stderr, "format %s, %zu messages, %zu of %zu tokens of context used\n",
                 std::string(format_.name()).c_str(), messages_.size(), session_.length(), session_.capacity());
    std::fprintf(stderr, "load %.1f ms; last answer: %zu prompt tokens at %.1f tokens/s, %zu tokens at %.1f tokens/s\n",
                 1e3 * load_seconds, statistics_.prompt_tokens, statistics_.prefill_rate(),
                 statistics_.generated_tokens, statistics_.decode_rate());
  }

 private:
  using Messages = std::vector<lamina::ChatMessage>;

  /// The messages as tokens, with room for an answer: the oldest turns go as long as they do not fit. A new message
  /// that does not fit alone is an error, and the conversation is as before.
  std::vector<lamina::Token> fit() {
    std::ptrdiff_t const n_system = system_.empty() ? 0 : 1;
    Messages alone(messages_.begin(), messages_.begin() + n_system);
    alone.push_back(messages_.back());
    if (!has_room(tokens_of(alone).size())) {
      messages_.pop_back();
      lamina::fail(lamina::Errc::kContextFull, "the message is too long: ", tokens_of(alone).size(),
                   " tokens and an answer do not fit into the context of ", session_.capacity());
    }
    std::size_t dropped = 0;
    auto ids = tokens_of(messages_);
    for (; !has_room(ids.size()); ids = tokens_of(messages_), dropped += 2) {
      auto const oldest = messages_.begin() + n_system;
      messages_.erase(oldest, oldest + 2);  // a question and its answer
    }
    if (dropped != 0) std::fprintf(stderr, "(the oldest %zu messages were dropped: the context is full)\n", dropped);
    return ids;
  }
  [[nodiscard]] std::vector<lamina::Token> tokens_of(Messages const& messages) const {
    return format_.begin(std::span<lamina::ChatMessage const>(messages));
  }
  [[nodiscard]] bool has_room(std::size_t n_tokens) const {
    return n_tokens + std::min(max_tokens_, session_.capacity() / 4) <= session_.capacity();
  }

  lamina::Session<M> session_;
  lamina::Tokenizer const& tokenizer_;
  lamina::ChatFormat format_;
  Sampler sampler_;
  std::size_t max_tokens_;
  std::string system_;
  std::vector<lamina::ChatMessage> messages_;
  lamina::GenerationStatistics statistics_;
};

}  // namespace examples
