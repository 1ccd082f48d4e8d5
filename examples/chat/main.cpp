// chat: a conversation with a model that was trained for it.
//
//   chat -m model.gguf                  # interactive: /help lists the commands
//   chat -m model.gguf < question.txt   # one question, one answer
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "../common/engine_options.hpp"
#include "conversation.hpp"
#include "input.hpp"
#include "interrupts.hpp"

using namespace lamina;

namespace {

constexpr char const* kHelp =
    "/help   this text\n"
    "/reset  forget the conversation\n"
    "/stats  figures about the context and the last answer\n"
    "/quit   leave; so do Ctrl-D and Ctrl-C\n"
    "A line that ends with \\ goes on in the next; lines between two lines of \"\"\" are one message.\n"
    "Ctrl-C during an answer stops the answer.\n";

struct ChatOptions {
  std::string system;
  std::string format;
  std::size_t max_tokens = 1024;
  bool interactive = ::isatty(STDIN_FILENO) == 1;
};

/// Reads and answers until the end of the input.
void converse(auto& conversation, examples::Interrupts& interrupts, bool interactive, double load_seconds) {
  bool const terminal = ::isatty(STDIN_FILENO) == 1;
  examples::Input input(interrupts, terminal);
  auto const answer = [&](std::string message) {
    examples::Interrupts::Answer const scope(interrupts);
    conversation.answer(std::move(message), scope.cancel());
  };
  if (!interactive) {
    std::string message = input.rest();
    if (!message.empty()) answer(std::move(message));
    return;
  }
  if (terminal) std::fputs("/help lists the commands\n", stderr);
  while (auto message = input.message()) {
    if (message->find_first_not_of(" \t\n") == std::string::npos) continue;
    if (*message == "/quit") return;
    if (*message == "/help") {
      std::fputs(kHelp, stderr);
    } else if (*message == "/reset") {
      conversation.reset();
      std::fputs("(the conversation is forgotten)\n", stderr);
    } else if (*message == "/stats") {
      conversation.print_statistics(load_seconds);
    } else if (message->starts_with('/') && message->find_first_of(" \n") == std::string::npos) {
      std::fprintf(stderr, "(no command %s; /help lists them)\n", message->c_str());
    } else {
      try {
        answer(*std::move(message));
      } catch (Error const& e) {
        if (e.code() != Errc::kContextFull) throw;
        std::fprintf(stderr, "(%s)\n", e.what());
      }
    }
  }
  if (terminal) std::puts("");
}

}  // namespace

int main(int argc, char** argv) {
  examples::CommandLine line("chat",
                             "A conversation with a model. Reads one message from stdin if that is no terminal.");
  examples::EngineOptions engine;
  examples::SamplingOptions sampling;
  ChatOptions chat;
  engine.add_to(line);
  line.add_text("--system", "TEXT", "what the model is told first", chat.system);
  line.add_text("--chat-format", "NAME", ("one of " + ChatFormat::names() + " (default: by the file)"), chat.format);
  line.add_number("-n, --tokens", "N", "tokens of an answer at most (default: 1024)", chat.max_tokens, 1,
                  1'000'000'000);
  line.add_flag("--interactive", "converse line by line, even if stdin is no terminal", chat.interactive);
  sampling.add_to(line);

  return examples::run_program(line, argc, argv, [&] {
    auto const start = std::chrono::steady_clock::now();
    auto const checkpoint = examples::open_checkpoint(engine);
    auto const tokenizer = examples::open_tokenizer(checkpoint, engine);
    auto const format = chat.format.empty()
                            ? ChatFormat::detect(tokenizer)
                            : examples::or_usage_error([&] { return ChatFormat::named(chat.format, tokenizer); });
    examples::Interrupts interrupts;  // before the threads of the model
    auto const any_model = examples::load_model(checkpoint, engine);
    double const load_seconds = examples::seconds_since(start);
    any_model.visit([&](auto const& model) {
      examples::Conversation conversation(model, engine.session, tokenizer, format, sampling.sampler(), chat.max_tokens,
                                          chat.system);
      converse(conversation, interrupts, chat.interactive, load_seconds);
    });
  });
}
