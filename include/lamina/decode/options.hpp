// What a generation is told and what it tells afterwards: options, the reason why it ended, statistics.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/token.hpp"

namespace lamina::inline v0_1 {

/// All members have defaults: `generate(session, prompt, sampler, {.max_tokens = 128})`.
struct GenerateOptions {
  /// Tokens to generate at most; 0 evaluates the prompt only.
  std::size_t max_tokens = std::numeric_limits<std::size_t>::max();
  /// Tokens that end the generation and are not part of it.
  std::vector<Token> stop_tokens = {};
  /// Asked about each token that is not among stop_tokens; true ends the generation, too.
  std::function<bool(Token)> is_stop_token = {};
  /// Texts that end the generation and are not part of it. For generate_text() only.
  std::vector<std::string> stop_strings = {};
  /// Ends the generation within one layer's time, in the prompt, too.
  std::stop_token cancel = {};
  /// Told how many of the prompt's tokens are done, and of how many, after each progress_interval tokens.
  std::function<void(std::size_t, std::size_t)> on_prefill = {};
  std::size_t progress_interval = 512;
};

enum class FinishReason : std::uint8_t {
  kRunning,      // not finished yet
  kMaxTokens,    // options.max_tokens were generated
  kStopToken,    // the sampler chose a stop token, which is not part of the result
  kStopString,   // a stop string was complete
  kContextFull,  // the session has no room for the next token
  kCancelled,    // options.cancel was triggered
  kCaller,       // the callback returned false
};

constexpr std::string_view to_string(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::kRunning: return "running";
    case FinishReason::kMaxTokens: return "maximum of tokens";
    case FinishReason::kStopToken: return "stop token";
    case FinishReason::kStopString: return "stop string";
    case FinishReason::kContextFull: return "context full";
    case FinishReason::kCancelled: return "cancelled";
    case FinishReason::kCaller: return "stopped by the caller";
  }
  return "unknown";
}

/// Times in seconds, of the library's work only: what the caller does between two tokens does not count.
struct GenerationStatistics {
  std::size_t prompt_tokens = 0;
  std::size_t generated_tokens = 0;
  std::size_t steps = 0;             // evaluations of one token, which decode_seconds is the time of
  double prefill_seconds = 0.0;      // evaluation of the prompt
  double first_token_seconds = 0.0;  // from the start to the first token: prefill and one choice
  double decode_seconds = 0.0;       // the steps, each with the choice after it

  [[nodiscard]] double prefill_rate() const noexcept { return rate(prompt_tokens, prefill_seconds); }
  [[nodiscard]] double decode_rate() const noexcept { return rate(steps, decode_seconds); }

 private:
  static double rate(std::size_t n, double seconds) noexcept {
    return seconds > 0.0 ? static_cast<double>(n) / seconds : 0.0;
  }
};

namespace detail {
/// Adds the time of a scope to a statistic, also where the scope ends by an exception.
class ScopedTimer {
 public:
  explicit ScopedTimer(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~ScopedTimer() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  ScopedTimer(ScopedTimer const&) = delete;
  ScopedTimer& operator=(ScopedTimer const&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_;
};
}  // namespace detail

}  // namespace lamina::inline v0_1
