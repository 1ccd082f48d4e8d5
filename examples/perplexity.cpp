// perplexity: how well a model foresees a text: exp of the mean negative log likelihood of its tokens.
//
//   perplexity -m model.gguf -f text.txt
//
// The text is cut into windows of --context tokens. The first half of each is context only and the second is scored, as
// llama.cpp's llama-perplexity does, so that figures compare.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "common/engine_options.hpp"
#include "common/text_file.hpp"

using namespace lamina;

namespace {

constexpr std::size_t kDefaultWindow = 512;  // llama-perplexity's

/// -log of the probability that the logits give the token.
double surprise(std::span<float const> logits, Token token) {
  double const max = *std::ranges::max_element(logits);
  double sum = 0.0;
  for (float const x : logits) sum += std::exp(static_cast<double>(x) - max);
  return max + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)]);
}

struct Score {
  double sum = 0.0;
  double sum_of_squares = 0.0;
  std::size_t n = 0;

  void add(double x) {
    sum += x;
    sum_of_squares += x * x;
    ++n;
  }
  [[nodiscard]] double mean() const { return sum / static_cast<double>(n); }
  /// Standard error of the mean, as if tokens were independent.
  [[nodiscard]] double error() const {
    double const variance = sum_of_squares / static_cast<double>(n) - mean() * mean();
    return std::sqrt(std::max(variance, 0.0) / static_cast<double>(std::max<std::size_t>(n, 2) - 1));
  }
};

/// Scores the second half of a window: the logits at one token against the next.
void score_window(auto& session, std::span<Token const> window, std::size_t chunk, Score& score) {
  std::size_t const first = window.size() / 2;
  session.truncate(0);
  session.prefill(window.first(first));
  for (std::size_t at = first; at + 1 < window.size(); at += chunk) {
    auto const part = window.subspan(at, std::min(chunk, window.size() - 1 - at));
    Logits const logits = session.evaluate(part);
    for (std::size_t r = 0; r < part.size(); ++r) score.add(surprise(logits.row(r), window[at + r + 1]));
  }
}

}  // namespace

int main(int argc, char** argv) {
  examples::CommandLine line("perplexity", "How well a model foresees a text; lower is better.");
  examples::EngineOptions engine;
  std::string path;
  bool parse_special = false;
  engine.add_to(line, "tokens of a window (default: the model's context, up to 512)");
  line.add_text("-f, --file", "FILE", "the text, UTF-8 (required)", path);
  line.add_flag("--parse-special", "special tokens that the text writes out are those tokens", parse_special);

  return examples::run_program(line, argc, argv, [&] {
    if (path.empty()) throw examples::UsageError("no text: give one with -f FILE");
    auto const checkpoint = examples::open_checkpoint(engine);
    auto const tokenizer = examples::open_tokenizer(checkpoint, engine);
    std::vector<Token> tokens = tokenizer.encode(examples::read_text_file(path), {.parse_special = parse_special});
    auto const any_model = examples::load_model(checkpoint, engine);
    std::size_t const n_ctx = engine.session.capacity != 0 ? engine.session.capacity
                                                           : std::min(any_model.config().n_ctx_train, kDefaultWindow);
    if (n_ctx < 4) throw examples::UsageError("--context: at least 4 tokens are needed");
    if (tokens.size() < n_ctx) {
      throw examples::UsageError(path + " has " + std::to_string(tokens.size()) + " tokens, a window " +
                                 std::to_string(n_ctx) + ": take a longer text or a smaller --context");
    }
    any_model.visit([&](auto const& model) {
      // 64 rows of logits are 33 MB at a vocabulary of 128 k.
      std::size_t const chunk = std::min({std::size_t{64}, n_ctx, engine.session.prefill_chunk});
      SessionOptions options = engine.session;
      options.capacity = n_ctx;
      options.max_logits = chunk;
      Session session(model, options);
      examples::Progress progress("scoring");
      Score score;
      std::size_t const n_windows = tokens.size() / n_ctx;
      for (std::size_t i = 0; i < n_windows; ++i) {
        auto const window = std::span(tokens).subspan(i * n_ctx, n_ctx);
        if (tokenizer.vocabulary().add_bos) window.front() = tokenizer.bos();  // every window is a beginning
        score_window(session, window, chunk, score);
        progress(i + 1, n_windows);
      }
      std::printf("perplexity %.4f +- %.4f (%zu tokens scored, %zu windows of %zu)\n", std::exp(score.mean()),
                  std::exp(score.mean()) * score.error(), score.n, n_windows, n_ctx);
    });
  });
}
