// generate: continues a text.
//
//   generate -m model.gguf -p "Once upon a time" -n 100
#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/engine_options.hpp"
#include "common/statistics.hpp"
#include "lamina/decode/generate_text.hpp"

using namespace lamina;

int main(int argc, char** argv) {
  examples::CommandLine line("generate", "Continues a text, on stdout; figures about it go to stderr.");
  examples::EngineOptions engine;
  examples::SamplingOptions sampling;
  std::string prompt;
  bool ids = false;
  bool quiet = false;
  GenerateOptions options{.max_tokens = 256};
  engine.add_to(line);
  line.add_text("-p, --prompt", "TEXT", "the text to continue (required)", prompt);
  line.add_number("-n, --tokens", "N", "tokens to generate at most (default: 256)", options.max_tokens, 1,
                  1'000'000'000);
  sampling.add_to(line);
  line.add("--stop", "TEXT", "ends the text before this (may be repeated)", [&](std::string const& v) {
    if (v.empty()) throw examples::UsageError("--stop: the text is empty");
    options.stop_strings.push_back(v);
  });
  line.add_flag("--ids", "print the generated token ids instead", ids);
  line.add_flag("--quiet", "no figures on stderr", quiet);

  return examples::run_program(line, argc, argv, [&] {
    if (prompt.empty()) throw examples::UsageError("no text: give one with -p TEXT");
    if (ids && !options.stop_strings.empty())
      throw examples::UsageError("--stop looks at text, which --ids has none of");
    auto const start = std::chrono::steady_clock::now();
    auto const checkpoint = examples::open_checkpoint(engine);
    auto const tokenizer = examples::open_tokenizer(checkpoint, engine);
    auto const any_model = examples::load_model(checkpoint, engine);
    double const load_seconds = examples::seconds_since(start);
    auto sampler = sampling.sampler();

    any_model.visit([&](auto const& model) {
      Session session(model, engine.session);
      std::vector<Token> const tokens = tokenizer.encode(prompt);
      GenerationResult result;
      if (ids) {
        options.is_stop_token = [&](Token t) { return tokenizer.ends_generation(t); };
        char const* separator = "";
        auto run = [&](Token t) {
          std::printf("%s%d", separator, t);
          separator = " ";
        };
        result = lamina::generate(session, tokens, sampler, options, run);
      } else {
        auto const print = [](std::string_view piece) {
          std::fwrite(piece.data(), 1, piece.size(), stdout);
          std::fflush(stdout);
        };
        result = generate_text(session, tokenizer, tokens, sampler, options, print);
      }
      std::fputs("\n", stdout);
      std::fflush(stdout);
      if (result.finish == FinishReason::kContextFull) {
        std::fprintf(stderr, "(the text ends here: the context of %zu tokens is full)\n", session.capacity());
      }
      if (!quiet) examples::print_statistics(result.statistics, load_seconds, model.bytes_per_token(), engine.threads);
    });
  });
}
