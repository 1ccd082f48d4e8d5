// Text generation: pieces, stop strings across tokens, the decoder's rest. Session and decoder are fakes.
#include "lamina/decode/text_generation.hpp"

#include <doctest/doctest.h>

#include <map>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "fake_session.hpp"
#include "lamina/sampler/sampler.hpp"

using namespace lamina;
using test::FakeSession;
using Tokens = std::vector<Token>;

namespace {

/// Token t is text[t]; token 90 and above give nothing; flush gives "~".
struct FakeDecoder {
  std::vector<std::string> text;
  std::string_view push(Token t) {
    return static_cast<std::size_t>(t) < text.size() ? text[static_cast<std::size_t>(t)] : std::string_view();
  }
  std::string_view flush() { return "~"; }
};
static_assert(TextDecoder<FakeDecoder>);

struct Run {
  std::vector<std::string> pieces;
  FinishReason finish;
  std::size_t tokens;
};

Run run(std::vector<std::string> text, GenerateOptions options) {
  FakeSession session(20, 30);
  auto range = detail::text_generation(session, FakeDecoder{std::move(text)}, Tokens{0}, greedy(), std::move(options));
  static_assert(std::ranges::input_range<decltype(range)>);
  Run r{{}, FinishReason::kRunning, 0};
  for (std::string_view piece : range) r.pieces.emplace_back(piece);
  r.finish = range.finish();
  r.tokens = range.statistics().generated_tokens;
  return r;
}

using Pieces = std::vector<std::string>;

}  // namespace

TEST_CASE("pieces of tokens, the empty ones left out, the rest at the end") {
  auto const r = run({"", "a", "", "bc", "d"}, {.max_tokens = 4});
  CHECK(r.pieces == Pieces{"a", "bc", "d", "~"});
  CHECK(r.finish == FinishReason::kMaxTokens);
}

TEST_CASE("a stop string across three tokens") {
  auto const r = run({"", "hello ", "wor", "l", "d!", "more"}, {.stop_strings = {"world"}});
  CHECK(r.pieces == Pieces{"hello "});
  CHECK(r.finish == FinishReason::kStopString);
  CHECK(r.tokens == 4);
}

TEST_CASE("held text comes out when it is no stop string, and at the end") {
  auto const r = run({"", "hello ", "wor", "st", "wo"}, {.max_tokens = 4, .stop_strings = {"world"}});
  CHECK(r.pieces == Pieces{"hello ", "worst", "wo~"});
  CHECK(r.finish == FinishReason::kMaxTokens);
}

TEST_CASE("a stop string completed by the decoder's rest is removed") {
  auto const r = run({"", "a", "b"}, {.max_tokens = 2, .stop_strings = {"b~"}});
  CHECK(r.pieces == Pieces{"a"});
}

TEST_CASE("a stop token ends the text; a generation without text is empty") {
  CHECK(run({"", "a", "b"}, {.stop_tokens = {2}}).pieces == Pieces{"a", "~"});
  CHECK(run({"", "a"}, {.max_tokens = 5, .stop_strings = {"a"}}).pieces.empty());
  CHECK(run({}, {.max_tokens = 5}).pieces == Pieces{"~"});
}

TEST_CASE("a piece arrives before the next token is computed") {
  FakeSession session(20, 30);
  auto range = detail::text_generation(session, FakeDecoder{{"", "a", "b"}}, Tokens{0}, greedy(), {});
  auto i = range.begin();
  CHECK(*i == "a");
  CHECK(session.length() == 1);
  ++i;
  CHECK(*i == "b");
  CHECK(session.length() == 2);
}

TEST_CASE("errors") {
  FakeSession session;
  CHECK_THROWS_AS(detail::text_generation(session, FakeDecoder{}, Tokens{0}, greedy(), {.stop_strings = {""}}), Error);
  CHECK_THROWS_AS(detail::text_generation(session, FakeDecoder{}, Tokens{}, greedy(), {}), Error);
}
