// Sampler stages: properties against a naive full sort, composition, domains of parameters, distribution, replay.
#include "lamina/sampler/sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

using namespace lamina;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Logits of several shapes: spread, with many ties, ascending, descending, all equal, one peak, partly excluded.
std::vector<float> make_logits(std::size_t n, int shape, Xoshiro256& random) {
  std::vector<float> logits(n);
  for (std::size_t i = 0; i < n; ++i) {
    auto const uniform = static_cast<float>(random.below(1u << 20)) * 0x1p-20F;
    switch (shape) {
      case 0: logits[i] = 16.0F * uniform - 8.0F; break;
      case 1: logits[i] = std::floor(5.0F * uniform); break;
      case 2: logits[i] = static_cast<float>(i) * 0.01F; break;
      case 3: logits[i] = static_cast<float>(n - i) * 0.01F; break;
      case 4: logits[i] = 1.0F; break;
      case 5: logits[i] = i == n / 2 ? 30.0F : uniform; break;
      default: logits[i] = uniform < 0.5F ? -kInfinity : uniform; break;
    }
  }
  logits[n / 3] = std::max(logits[n / 3], 0.5F);  // never all excluded
  return logits;
}

std::vector<Candidate> naive_order(std::vector<float> const& logits) {
  std::vector<Candidate> all;
  for (std::size_t i = 0; i < logits.size(); ++i) all.push_back({static_cast<Token>(i), logits[i]});
  std::sort(all.begin(), all.end(), [](Candidate a, Candidate b) { return a.before(b); });
  return all;
}

std::set<Token> first_ids(std::vector<Candidate> const& order, std::size_t n) {
  std::set<Token> ids;
  for (std::size_t i = 0; i < n; ++i) ids.insert(order[i].id);
  return ids;
}

std::set<Token> ids_after(auto stage, std::vector<float> const& logits, bool sorted_before = false) {
  Candidates c;
  c.assign(logits);
  if (sorted_before) c.sort();
  stage(c);
  std::set<Token> const ids(c.ids().begin(), c.ids().end());
  CHECK(ids.size() == c.size());
  for (std::size_t i = 0; i < c.size(); ++i) CHECK(c[i].logit == logits[static_cast<std::size_t>(c[i].id)]);
  return ids;
}

std::size_t naive_top_p(std::vector<float> const& logits, std::vector<Candidate> const& order, float p) {
  Candidates c;
  c.assign(logits);
  auto const weights = c.weights();
  std::uint64_t total = 0;
  for (float const w : weights) total += fixed_weight(w);
  double const need = std::ceil(static_cast<double>(p) * static_cast<double>(total));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    sum += fixed_weight(weights[static_cast<std::size_t>(order[i].id)]);
    if (static_cast<double>(sum) >= need) return i + 1;
  }
  return order.size();
}

std::vector<float> logits_after(auto stage, std::vector<float> const& logits, std::vector<Token> const& history) {
  Candidates c;
  c.assign(logits, history);
  stage(c);
  return {c.logits().begin(), c.logits().end()};
}

Errc code_of(auto f) {
  try {
    f();
  } catch (Error const& e) {
    return e.code();
  }
  FAIL("no error");
  return {};
}

struct HalveOddTokens {  // a user's stage
  int calls = 0;
  void operator()(Candidates& c) {
    ++calls;
    auto const ids = c.ids();
    auto logits = c.mutable_logits();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] % 2 == 1) logits[i] *= 0.5F;
    }
  }
};

struct NoStage {
  double operator()(Candidates&) { return 0.0; }
};
struct Immovable {
  Immovable() = default;
  Immovable(Immovable const&) = delete;
  void operator()(Candidates&) {}
};

static_assert(SamplerStage<TopK> && SamplerStage<TopP> && SamplerStage<MinP> && SamplerStage<Temperature>);
static_assert(SamplerStage<Penalties> && SamplerStage<LogitBias> && SamplerStage<HalveOddTokens>);
static_assert(SamplerStage<decltype([](Candidates&) {})> && SamplerStage<decltype([](auto&) {})>);
static_assert(FinalStage<Greedy> && FinalStage<Draw> && FinalStage<decltype(draw(1))>);
static_assert(!SamplerStage<Greedy> && !FinalStage<TopK> && !SamplerStage<int> && !SamplerStage<Immovable>);
static_assert(TokenSampler<decltype(top_k(1) | draw(1))> && !TokenSampler<TopK> && !TokenSampler<Greedy>);
template <class L, class R>
concept Composable = requires(L l, R r) { l | r; };
static_assert(Composable<TopK, TopP> && Composable<TopK, HalveOddTokens> && Composable<HalveOddTokens, TopK>);
static_assert(!SamplerStage<NoStage> && !FinalStage<NoStage> && !Composable<TopK, NoStage>);
static_assert(!Composable<Greedy, TopK> && !Composable<TopK, double> && !Composable<Immovable, TopK>);

}  // namespace

TEST_CASE("top_k keeps what a full sort would") {
  Xoshiro256 random(11);
  for (std::size_t n : {1u, 2u, 7u, 100u, 1000u, 5000u}) {
    for (int shape = 0; shape <= 6; ++shape) {
      auto const logits = make_logits(n, shape, random);
      auto const order = naive_order(logits);
      for (std::size_t k : {1u, 2u, 40u, 50u, 99u, 999u, 1000u, 6000u}) {
        auto const expected = first_ids(order, std::min(n, k));
        CAPTURE(n);
        CAPTURE(shape);
        CAPTURE(k);
        CHECK(ids_after(top_k(k), logits) == expected);
        CHECK(ids_after(top_k(k), logits, true) == expected);
      }
    }
  }
}

TEST_CASE("top_p keeps the shortest prefix of a full sort that reaches p") {
  Xoshiro256 random(12);
  for (std::size_t n : {1u, 2u, 7u, 100u, 600u, 5000u}) {
    for (int shape = 0; shape <= 6; ++shape) {
      auto const logits = make_logits(n, shape, random);
      auto const order = naive_order(logits);
      for (float p : {1e-6F, 0.1F, 0.5F, 0.9F, 0.95F, 0.999F, 0.9999999F}) {
        auto const expected = first_ids(order, naive_top_p(logits, order, p));
        CAPTURE(n);
        CAPTURE(shape);
        CAPTURE(p);
        CHECK(ids_after(top_p(p), logits) == expected);
        CHECK(ids_after(top_p(p), logits, true) == expected);
      }
      CHECK(ids_after(top_p(1.0F), logits).size() == n);
    }
  }
  // By hand: probabilities 0.5, 0.25, 0.125, 0.125.
  std::vector<float> const halves{std::log(0.125F), std::log(0.5F), std::log(0.25F), std::log(0.125F)};
  CHECK(ids_after(top_p(0.49F), halves) == std::set<Token>{1});
  CHECK(ids_after(top_p(0.7F), halves) == std::set<Token>{1, 2});
  CHECK(ids_after(top_p(0.8F), halves) == std::set<Token>{0, 1, 2});
}

TEST_CASE("min_p keeps what has at least p times the best probability") {
  std::vector<float> const logits{0.0F, std::log(0.5F), std::log(0.09F), std::log(0.11F), -kInfinity};
  CHECK(ids_after(min_p(0.1F), logits) == std::set<Token>{0, 1, 3});
  CHECK(ids_after(min_p(1.0F), logits) == std::set<Token>{0});
  CHECK(ids_after(min_p(0.0F), logits).size() == 5);
}

TEST_CASE("temperature scales, zero means greedy, extremes stay finite") {
  std::vector<float> const logits{1.0F, 3.0F, 2.0F, 3.0F};
  CHECK(logits_after(temperature(2.0F), logits, {}) == std::vector<float>{-1.0F, 0.0F, -0.5F, 0.0F});
  CHECK(logits_after(temperature(1.0F), logits, {}) == logits);
  Candidates c;
  c.assign(logits);
  temperature(0.0F)(c);
  CHECK(c.size() == 1);
  CHECK(c[0].id == 1);
  for (float t : {1e-45F, 1e-30F, 1e28F}) {
    auto sampler = temperature(t) | draw(3);
    CHECK(sampler(std::vector<float>{-1e30F, 1e30F, -1e30F}) == 1);
  }
  CHECK(logits_after(temperature(3e38F), {-1e30F, 1e30F}, {})[0] < 0.0F);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CHECK((temperature(0.0F) | draw(seed))(logits) == 1);
  }
}

TEST_CASE("penalties look at the window only") {
  std::vector<float> const logits{2.0F, -2.0F, 1.0F, 4.0F};
  std::vector<Token> const history{3, 0, 0, 1};
  CHECK(logits_after(repetition_penalty(2.0F, 3), logits, history) == std::vector<float>{1.0F, -4.0F, 1.0F, 4.0F});
  CHECK(logits_after(repetition_penalty(2.0F), logits, history) == std::vector<float>{1.0F, -4.0F, 1.0F, 2.0F});
  CHECK(logits_after(frequency_penalty(0.5F, 3), logits, history) == std::vector<float>{1.0F, -2.5F, 1.0F, 4.0F});
  CHECK(logits_after(presence_penalty(0.5F, 100), logits, history) == std::vector<float>{1.5F, -2.5F, 1.0F, 3.5F});
  CHECK(logits_after(penalties({.repetition = 2.0F, .frequency = 1.0F, .presence = -3.0F, .window = 2}), logits,
                     history) == std::vector<float>{3.0F, -2.0F, 1.0F, 4.0F});
  CHECK(logits_after(repetition_penalty(2.0F, 0), logits, history) == logits);
  CHECK(logits_after(repetition_penalty(2.0F), logits, {}) == logits);
  CHECK(logits_after(repetition_penalty(2.0F), logits, {77, -5}) == logits);  // ids that are no candidates

  auto after_cut = top_k(1) | repetition_penalty(2.0F) | greedy();
  CHECK(after_cut(logits, history) == 3);
}

TEST_CASE("logit_bias moves single tokens and bans others") {
  std::vector<float> const logits{2.0F, -2.0F, 1.0F};
  CHECK(logits_after(logit_bias({{1, 5.0F}, {2, -1.0F}}), logits, {}) == std::vector<float>{2.0F, 3.0F, 0.0F});
  CHECK((logit_bias({{0, -kInfinity}}) | greedy())(logits) == 2);
  CHECK(code_of([&] { (logit_bias({{0, -kInfinity}, {1, -kInfinity}, {2, -kInfinity}}) | greedy())(logits); }) ==
        Errc::kNotFinite);
  CHECK(code_of([&] { (logit_bias({{3, 1.0F}}) | greedy())(logits); }) == Errc::kTokenOutOfRange);
  CHECK(code_of([] { logit_bias({{-1, 1.0F}}); }) == Errc::kTokenOutOfRange);
  CHECK(code_of([] { logit_bias({{1, kNan}}); }) == Errc::kInvalidArgument);
  CHECK(code_of([] { logit_bias({{1, kInfinity}}); }) == Errc::kInvalidArgument);
}

TEST_CASE("parameters outside their domain are errors") {
  for (float bad : {-1.0F, -1e-9F, kNan, kInfinity, -kInfinity}) {
    CHECK(code_of([&] { temperature(bad); }) == Errc::kInvalidArgument);
    CHECK(code_of([&] { min_p(bad); }) == Errc::kInvalidArgument);
    CHECK(code_of([&] { top_p(bad); }) == Errc::kInvalidArgument);
    CHECK(code_of([&] { repetition_penalty(bad); }) == Errc::kInvalidArgument);
  }
  for (float bad : {kNan, kInfinity, -kInfinity}) {
    CHECK(code_of([&] { frequency_penalty(bad); }) == Errc::kInvalidArgument);
    CHECK(code_of([&] { presence_penalty(bad); }) == Errc::kInvalidArgument);
  }
  CHECK(code_of([] { top_p(0.0F); }) == Errc::kInvalidArgument);
  CHECK(code_of([] { top_p(1.0001F); }) == Errc::kInvalidArgument);
  CHECK(code_of([] { min_p(1.0001F); }) == Errc::kInvalidArgument);
  CHECK(code_of([] { repetition_penalty(0.0F); }) == Errc::kInvalidArgument);
  CHECK(code_of([] { top_k(0); }) == Errc::kInvalidArgument);
  try {
    top_p(1.5F);
  } catch (Error const& e) {
    CHECK(std::string(e.what()) == "top_p: 1.5, expected 0 < p <= 1");
  }
}

TEST_CASE("draw follows the probabilities") {
  std::vector<double> const p{0.5, 0.2, 0.15, 0.1, 0.05, 0.0};
  std::vector<float> logits;
  for (double const x : p) logits.push_back(x == 0.0 ? -kInfinity : static_cast<float>(std::log(x)) + 4.0F);
  auto sampler = draw(2024);
  constexpr int kDraws = 100'000;
  std::vector<int> counts(p.size());
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sampler(logits))];
  double chi_squared = 0.0;
  for (std::size_t i = 0; i + 1 < p.size(); ++i) {
    double const expected = p[i] * kDraws;
    chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  CHECK(chi_squared < 18.5);  // 4 degrees of freedom: one in a thousand is above
  CHECK(counts.back() == 0);
}

TEST_CASE("a chain cuts, scales and draws; a copy replays it") {
  Xoshiro256 random(5);
  auto const logits = make_logits(3000, 0, random);
  auto sampler = top_k(40) | top_p(0.95F) | temperature(0.8F) | draw(42);
  auto const allowed = ids_after(top_k(40) | top_p(0.95F), logits);
  CHECK(allowed.size() > 1);
  std::set<Token> seen;
  for (int i = 0; i < 500; ++i) {
    Token const t = sampler(logits);
    CHECK(allowed.contains(t));
    seen.insert(t);
  }
  CHECK(seen.size() > allowed.size() / 2);
  auto copy = sampler;
  std::vector<Token> a;
  std::vector<Token> b;
  for (int i = 0; i < 100; ++i) a.push_back(sampler(logits));
  for (int i = 0; i < 100; ++i) b.push_back(copy(logits));
  CHECK(a == b);
  auto other = top_k(40) | top_p(0.95F) | temperature(0.8F) | draw(43);
  std::vector<Token> c;
  for (int i = 0; i < 100; ++i) c.push_back(other(logits));
  CHECK(a != c);
}

TEST_CASE("a run has these tokens on every platform") {
  Xoshiro256 random(9);
  auto const logits = make_logits(32000, 0, random);
  auto sampler = top_p(0.9F) | temperature(0.7F) | min_p(0.01F) | draw(1);
  std::vector<Token> run;
  for (int i = 0; i < 8; ++i) run.push_back(sampler(logits, run));
  CHECK(run == std::vector<Token>{22529, 16799, 18464, 12803, 22324, 4759, 2431, 12515});
}

TEST_CASE("a user's struct, lambda and final stage take part") {
  std::vector<float> const logits{1.0F, 4.0F, 3.0F, 1.0F};
  CHECK((HalveOddTokens{} | greedy())(logits) == 2);
  CHECK((top_k(4) | HalveOddTokens{} | [](Candidates& c) { c.keep_if([](Candidate x) { return x.id != 2; }); } |
         greedy())(logits) == 1);
  auto last = top_k(2) | [](Candidates& c) -> Token { return c.ids().back(); };
  CHECK(last(logits) == 2);
  auto counted = stage(HalveOddTokens{}) |
                 [n = 0](Candidates& c) mutable { c.keep_first(c.size() - std::size_t(n++)); } | HalveOddTokens{} |
                 greedy();
  CHECK(counted(logits) == 2);
  CHECK(counted.stages().first.second.calls == 1);
  auto nested = top_k(3) | (top_k(2) | greedy());
  CHECK(nested(logits) == 1);
  CHECK(code_of([&] {
          (stage([](Candidates& c) { c.keep_if([](Candidate) { return false; }); }) | draw(1))(logits);
        }) == Errc::kInvalidArgument);
  CHECK(code_of([&] { (stage([](Candidates& c) { c.mutable_logits()[0] = kNan; }) | top_k(2) | draw(1))(logits); }) ==
        Errc::kNotFinite);
}
