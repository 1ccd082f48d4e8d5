// accuracy: asks a chat model the questions of an evaluation set and counts the answers that are right to the letter.
//
//   accuracy -m examples/tiny_model/tiny-F16.gguf
//   accuracy -m tiny-F16.gguf --draft draft-F16.gguf      # and how often a smaller model would say the same token
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "../common/engine_options.hpp"
#include "evaluation.hpp"
#include "respondent.hpp"

using namespace lamina;

namespace {

struct AccuracyOptions {
  std::filesystem::path questions = LAMINA_EVALUATION_SET;
  std::filesystem::path draft;
  std::size_t every = 1;
  bool wrong = false;
};

struct Results {
  examples::Tally by_category;
  examples::Tally by_group;
  examples::Tally by_novelty;  // by what training lacked
  examples::Share all;

  void add(examples::Question const& question, bool is_right) {
    by_category.add(question.category, is_right);
    by_group.add(question.group, is_right);
    by_novelty.add(question.unseen, is_right);
    all.add(is_right);
  }
};

void print(char const* title, examples::Tally const& tally) {
  std::printf("%-20s  right    of       %%\n", title);
  for (auto const& [name, share] : tally.rows()) {
    std::printf("%-20s  %5zu %5zu  %6.1f\n", name.c_str(), share.right, share.of, share.percent());
  }
  std::puts("");
}

void print_wrong(examples::Question const& question, std::string const& answer) {
  std::printf("%s: %s\n  said:     %s\n  expected: %s\n", question.category.c_str(),
              question.messages.back().content.c_str(), answer.c_str(), question.answer.c_str());
}

/// `see` is told of each answer.
using SeeAnswer = std::function<void(std::span<Token const>, examples::Answer const&)>;

Results examine(auto& respondent, std::vector<examples::Question> const& questions, AccuracyOptions const& options,
                SeeAnswer const& see) {
  examples::Progress progress("asking");
  Results results;
  for (std::size_t i = 0; i < questions.size(); i += options.every) {
    examples::Question const& question = questions[i];
    try {
      auto const prompt = respondent.prompt(question);
      auto const answer = respondent.answer(prompt, question.answer.size() + 1);  // no token is shorter than a byte
      bool const is_right = answer.text == question.answer;
      results.add(question, is_right);
      if (!is_right && options.wrong) print_wrong(question, answer.text);
      if (see) see(prompt, answer);
    } catch (Error const& e) {
      fail(e.code(), question.place, ": ", e.what());
    }
    progress(i + 1, questions.size());
  }
  return results;
}

void report(Results const& results) {
  print("category", results.by_category);
  print("what is new", results.by_novelty);
  print("group", results.by_group);
  std::printf("accuracy %.2f %% (%zu of %zu)\n", results.all.percent(), results.all.right, results.all.of);
}

}  // namespace

int main(int argc, char** argv) {
  examples::CommandLine line("accuracy",
                             "Asks a chat model questions, the likeliest token each time; exact matches by category.");
  examples::EngineOptions engine;
  AccuracyOptions options;
  engine.add_to(line);
  line.add_text("-f, --questions", "FILE", "the evaluation set (default: the tiny model's)", options.questions);
  line.add_text("--draft", "FILE", "a model of the same vocabulary: how often it agrees", options.draft);
  line.add_number("--every", "N", "ask every N-th question only (default: 1)", options.every, 1,
                  std::numeric_limits<std::int32_t>::max());
  line.add_flag("--wrong", "print the wrong answers", options.wrong);

  return examples::run_program(line, argc, argv, [&] {
    auto const checkpoint = examples::open_checkpoint(engine);
    auto const tokenizer = examples::open_tokenizer(checkpoint, engine);
    auto const questions = examples::read_questions(options.questions);
    auto const any_model = examples::load_model(checkpoint, engine);
    any_model.visit([&](auto const& model) {
      examples::Respondent respondent(model, engine.session, tokenizer);
      if (options.draft.empty()) return report(examine(respondent, questions, options, {}));

      engine.model = options.draft;
      auto const any_draft = examples::load_model(examples::open_checkpoint(engine), engine);
      if (any_draft.config().n_vocab != any_model.config().n_vocab) {
        throw examples::UsageError("--draft: its vocabulary has another size");
      }
      any_draft.visit([&](auto const& draft_model) {
        examples::Draft draft(draft_model, engine.session, respondent.capacity());
        examples::Share agreement;
        auto const compare = [&](std::span<Token const> prompt, examples::Answer const& answer) {
          draft.compare(prompt, answer, [&](Token t) { return respondent.ends(t); }, agreement);
        };
        report(examine(respondent, questions, options, compare));
        std::printf("draft agreement %.2f %% (%zu of %zu tokens)\n", agreement.percent(), agreement.right,
                    agreement.of);
      });
    });
  });
}
