// custom_loop: a decoding loop of one's own, with a sampler stage of one's own.
//
//   custom_loop -m model.gguf
#include <cstdio>
#include <string>
#include <vector>

#include "common/engine_options.hpp"
#include "lamina/model/session.hpp"
#include "lamina/sampler/sampler.hpp"
#include "lamina/text/detokenizer.hpp"

using namespace lamina;

// A stage is anything that can be called with the candidates. This one never says the same word twice in a row.
struct NoEcho {
  void operator()(Candidates& candidates) const {
    if (candidates.history().empty()) return;
    candidates.keep_if([last = candidates.history().back()](Candidate c) { return c.id != last; });
  }
};

int main(int argc, char** argv) {
  examples::CommandLine line("custom_loop", "Continues a text by a loop that you can change.");
  examples::EngineOptions engine;
  std::string prompt = "Once upon a time";
  engine.add_to(line);
  line.add_text("-p, --prompt", "TEXT", "the text to continue", prompt);

  return examples::run_program(line, argc, argv, [&] {
    if (prompt.empty()) throw examples::UsageError("no text: give one with -p TEXT");
    auto const checkpoint = examples::open_checkpoint(engine);
    auto const tokenizer = examples::open_tokenizer(checkpoint, engine);
    auto sampler = NoEcho{} | top_k(40) | temperature(0.7F) | draw(42);

    examples::load_model(checkpoint, engine).visit([&](auto const& model) {
      Session session(model, engine.session);
      StreamingDetokenizer text(tokenizer);
      auto const ids = tokenizer.encode(prompt);
      for (Token const t : ids) std::printf("%s", std::string(text.push(t)).c_str());
      auto logits = session.prefill(ids);
      for (int i = 0; i < 100 && session.length() < session.capacity(); ++i) {
        Token const next = sampler(logits, session.tokens());
        if (tokenizer.ends_generation(next)) break;
        std::printf("%s", std::string(text.push(next)).c_str());
        std::fflush(stdout);
        logits = session.step(next);
      }
      std::printf("%s\n", std::string(text.flush()).c_str());
    });
  });
}
