// generate_text with a real tokenizer: the pieces are the text that the tokens are, prompt and all.
#include "lamina/decode/generate_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "fake_session.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/sampler/sampler.hpp"
#include "lamina/text/vocabulary.hpp"
#include "test_data.hpp"

using namespace lamina;
using test::FakeSession;

TEST_CASE("prompt and pieces are the text of prompt and tokens") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  Tokenizer const tokenizer(read_vocabulary(Checkpoint::open(path).metadata()));
  // The fake counts upwards through the vocabulary: words that begin with a space, parts of words, bytes.
  for (std::string const prompt : {"The little dog", "a", "One day,"}) {
    FakeSession session(tokenizer.size());
    auto range = generate_text(session, tokenizer, prompt, greedy(), {.max_tokens = 30});
    std::string text = prompt;
    for (std::string_view piece : range) text += piece;
    std::vector<Token> tokens(session.tokens().begin(), session.tokens().end());
    tokens.push_back(range.pending().value());
    CHECK(text == tokenizer.decode(tokens));
  }
}

TEST_CASE("the vocabulary's end of text ends the generation; so do the caller's own tokens") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  Tokenizer const tokenizer(read_vocabulary(Checkpoint::open(path).metadata()));
  FakeSession session(tokenizer.size());
  std::vector<Token> const before_end{tokenizer.eos() - 1};
  auto const ended = generate_text(session, tokenizer, std::span<Token const>(before_end), greedy(), {}, [](auto) {});
  CHECK(ended.finish == FinishReason::kStopToken);
  CHECK(ended.statistics.generated_tokens == 0);
  auto const own = generate_text(session, tokenizer, "x", greedy(),
                                 {.max_tokens = 50, .is_stop_token = [n = 0](Token) mutable { return ++n == 4; }},
                                 [](std::string_view) {});
  CHECK(own.finish == FinishReason::kStopToken);
  CHECK(own.statistics.generated_tokens == 3);
  auto const stopped = generate_text(session, tokenizer, "x", greedy(), {}, [](std::string_view) { return false; });
  CHECK(stopped.finish == FinishReason::kCaller);
}
