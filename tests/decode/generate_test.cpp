// generate: the range and the callback, every reason to end, statistics, errors. The session is a fake.
#include "lamina/decode/generate.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <ranges>
#include <stop_token>
#include <utility>
#include <vector>

#include "fake_session.hpp"
#include "lamina/sampler/sampler.hpp"

using namespace lamina;
using test::FakeSession;
using Tokens = std::vector<Token>;

static_assert(DecodingSession<FakeSession>);
static_assert(!DecodingSession<int>);
static_assert(std::ranges::input_range<Generation<FakeSession, Sampler<Greedy>>>);
static_assert(std::ranges::input_range<Generation<FakeSession, Sampler<Greedy>&>>);

namespace {
Tokens collect(auto&& range) {
  Tokens tokens;
  for (Token t : range) tokens.push_back(t);
  return tokens;
}
}  // namespace

TEST_CASE("a range of the tokens that follow the prompt") {
  FakeSession session;
  CHECK(collect(generate(session, Tokens{5, 10}, greedy(), {.max_tokens = 4})) == Tokens{11, 12, 13, 14});
  CHECK(Tokens(session.tokens().begin(), session.tokens().end()) == Tokens{5, 10, 11, 12, 13});
  CHECK(session.prefills == std::vector<std::size_t>{2});
}

TEST_CASE("the last token is pending, and continues the conversation") {
  FakeSession session;
  auto first = generate(session, Tokens{1}, greedy(), {.max_tokens = 2});
  CHECK(first.finish() == FinishReason::kRunning);
  CHECK(collect(first) == Tokens{2, 3});
  CHECK(first.finish() == FinishReason::kMaxTokens);
  REQUIRE(first.pending() == 3);
  CHECK(collect(generate(session, Tokens{*first.pending(), 50}, greedy(), {.max_tokens = 1})) == Tokens{51});
  CHECK(session.length() == 4);
}

TEST_CASE("the range is lazy, and breaking off is free") {
  FakeSession session;
  auto run = generate(session, Tokens{1}, greedy());
  CHECK(session.length() == 0);
  for (Token t : run) {
    if (t == 4) break;
  }
  CHECK(session.length() == 3);
  CHECK(run.finish() == FinishReason::kRunning);
  CHECK(*run.begin() == 4);  // begin goes on where the range is
  CHECK(session.prefills.size() == 1);
}

TEST_CASE("works with the standard's views") {
  FakeSession session;
  Tokens squares;
  for (int t : generate(session, Tokens{1}, greedy()) | std::views::transform([](Token t) { return t * t; }) |
                   std::views::take(3)) {
    squares.push_back(t);
  }
  CHECK(squares == Tokens{4, 9, 16});

  // With a sampler of the caller's, and with a stage that cannot be assigned.
  int seen = 0;
  auto sampler = stage([&seen](Candidates&) { ++seen; }) | greedy();
  std::size_t count = 0;
  for (Token const t : generate(session, Tokens{1}, sampler) | std::views::take(2)) count += t > 0 ? 1 : 0;
  CHECK(count == 2);
  CHECK(seen >= 2);
  auto const start = [&](std::size_t max_tokens) {
    auto count_calls = stage([&seen](Candidates&) { ++seen; });
    return generate(session, Tokens{1}, std::move(count_calls) | greedy(), {.max_tokens = max_tokens});
  };
  auto run = start(5);
  run = start(3);
  CHECK(collect(run).size() == 3);
}

TEST_CASE("reasons to end") {
  FakeSession session(100, 10);
  SUBCASE("stop token") {
    auto run = generate(session, Tokens{1}, greedy(), {.stop_tokens = {77, 4}});
    CHECK(collect(run) == Tokens{2, 3});
    CHECK(run.finish() == FinishReason::kStopToken);
    CHECK_FALSE(run.pending());
    CHECK(session.length() == 3);
  }
  SUBCASE("stop token by predicate, as the first token") {
    auto run = generate(session, Tokens{1}, greedy(), {.is_stop_token = [](Token t) { return t == 2; }});
    CHECK(collect(run).empty());
    CHECK(run.finish() == FinishReason::kStopToken);
  }
  SUBCASE("context full") {
    auto run = generate(session, Tokens{1, 2}, greedy());
    CHECK(collect(run).size() == 9);
    CHECK(run.finish() == FinishReason::kContextFull);
    CHECK(session.length() == 10);
    CHECK(run.pending() == 11);
  }
  SUBCASE("no tokens wanted: the prompt is evaluated") {
    auto run = generate(session, Tokens{1}, greedy(), {.max_tokens = 0});
    CHECK(collect(run).empty());
    CHECK(run.finish() == FinishReason::kMaxTokens);
    CHECK(session.length() == 1);
  }
  SUBCASE("cancelled during decoding") {
    std::stop_source source;
    auto run = generate(session, Tokens{1}, greedy(), {.cancel = source.get_token()});
    Tokens tokens;
    for (Token t : run) {
      tokens.push_back(t);
      if (t == 4) source.request_stop();
    }
    CHECK(tokens == Tokens{2, 3, 4});
    CHECK(run.finish() == FinishReason::kCancelled);
    CHECK(run.pending() == 4);
  }
  SUBCASE("cancelled before the prompt") {
    std::stop_source source;
    source.request_stop();
    auto run = generate(session, Tokens{1}, greedy(), {.cancel = source.get_token()});
    CHECK(collect(run).empty());
    CHECK(run.finish() == FinishReason::kCancelled);
  }
}

TEST_CASE("callback") {
  FakeSession session;
  Tokens tokens;
  auto const all = generate(session, Tokens{1}, greedy(), {.max_tokens = 3}, [&](Token t) { tokens.push_back(t); });
  CHECK(tokens == Tokens{2, 3, 4});
  CHECK(all.finish == FinishReason::kMaxTokens);
  CHECK(all.pending == 4);
  auto const some = generate(session, Tokens{10}, greedy(), {}, [&](Token t) { return t != 13; });
  CHECK(some.finish == FinishReason::kCaller);
  CHECK(some.statistics.generated_tokens == 3);
  CHECK(some.pending == 13);
}

TEST_CASE("the sampler's state goes on in the caller's object; a temporary moves in") {
  auto sampler = temperature(30.0F) | draw(1);
  auto copy = sampler;
  FakeSession a;
  FakeSession b;
  auto const first = collect(generate(a, Tokens{1}, sampler, {.max_tokens = 20}));
  auto const second = collect(generate(a, Tokens{1}, sampler, {.max_tokens = 20}));
  CHECK(first != second);
  CHECK(collect(generate(b, Tokens{1}, copy, {.max_tokens = 20})) == first);
  CHECK(collect(generate(b, Tokens{1}, std::move(copy), {.max_tokens = 20})) == second);
}

TEST_CASE("penalties see prompt and generated tokens") {
  FakeSession session;
  auto run = generate(session, Tokens{3, 2, 1}, presence_penalty(100.0F) | greedy(), {.max_tokens = 2});
  CHECK(collect(run) == Tokens{0, 4});  // likeliest are 2 and 3, which the prompt has; then 1 and 2, and 0 is taken
}

TEST_CASE("progress of the prompt") {
  FakeSession session;
  std::vector<std::pair<std::size_t, std::size_t>> calls;
  generate(session, Tokens(25, 7), greedy(),
           {.max_tokens = 1,
            .on_prefill = [&](std::size_t n, std::size_t of) { calls.emplace_back(n, of); },
            .progress_interval = 10},
           [](Token) {});
  CHECK(calls == std::vector<std::pair<std::size_t, std::size_t>>{{10, 25}, {20, 25}, {25, 25}});
  CHECK(session.prefills == std::vector<std::size_t>{10, 10, 5});
}

TEST_CASE("statistics") {
  FakeSession session;
  auto run = generate(session, Tokens{1, 2, 3}, greedy(), {.max_tokens = 5});
  collect(run);
  auto const& s = run.statistics();
  CHECK(s.prompt_tokens == 3);
  CHECK(s.generated_tokens == 5);
  CHECK(s.steps == 4);
  CHECK(s.prefill_seconds > 0.0);
  CHECK(s.first_token_seconds >= s.prefill_seconds);
  CHECK(s.decode_seconds > 0.0);
  CHECK(s.decode_rate() == doctest::Approx(4.0 / s.decode_seconds));
  CHECK(GenerationStatistics{}.prefill_rate() == 0.0);
}

TEST_CASE("errors") {
  FakeSession session(100, 4);
  auto const code = [&](auto f) {
    try {
      f();
    } catch (Error const& e) {
      return e.code();
    }
    return Errc::kIo;
  };
  CHECK(code([&] { generate(session, Tokens{}, greedy()); }) == Errc::kInvalidArgument);
  CHECK(code([&] { generate(session, Tokens(5, 1), greedy()); }) == Errc::kContextFull);
  CHECK(code([&] { generate(session, Tokens{1}, greedy(), {.stop_strings = {"x"}}); }) == Errc::kInvalidArgument);
  auto const nan = [](Candidates& c) { c.mutable_logits()[0] = std::numeric_limits<float>::quiet_NaN(); };
  CHECK(code([&] { collect(generate(session, Tokens{1}, stage(nan) | greedy())); }) == Errc::kNotFinite);
}
