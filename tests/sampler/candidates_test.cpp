// Candidates: the order of preference, cuts, look-ups, and the vector code beneath them.
#include "lamina/sampler/candidates.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "lamina/sampler/random.hpp"

using namespace lamina;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<Token> ids_of(Candidates const& c) { return {c.ids().begin(), c.ids().end()}; }

Candidates candidates_of(std::vector<float> const& logits) {
  Candidates c;
  c.assign(logits);
  return c;
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

}  // namespace

TEST_CASE("assign makes every token a candidate, in order of id, step after step") {
  Candidates c;
  for (int step = 0; step < 3; ++step) {
    c.assign(std::vector<float>{0.5F, -1.0F, 2.0F, 2.0F});
    CHECK(ids_of(c) == std::vector<Token>{0, 1, 2, 3});
    c.sort();
    CHECK(ids_of(c) == std::vector<Token>{2, 3, 0, 1});
    CHECK(c.sorted());
    c.keep_first(2);
    CHECK(c.size() == 2);
    CHECK(c.vocabulary_size() == 4);
  }
  c.assign(std::vector<float>{1.0F, 3.0F});
  CHECK(ids_of(c) == std::vector<Token>{0, 1});
}

TEST_CASE("best: the highest logit, then the lowest id, in any order of the list") {
  for (std::size_t n : {1u, 3u, 7u, 8u, 9u, 16u, 33u, 1000u}) {
    for (std::size_t at = 0; at < n; at += 1 + n / 13) {
      std::vector<float> logits(n, -3.0F);
      logits[at] = 5.0F;
      if (at + 1 < n) logits[n - 1] = 5.0F;
      CHECK(candidates_of(logits).best() == at);
    }
  }
  auto c = candidates_of({1.0F, 9.0F, 5.0F, 0.0F});
  c.sort();
  for (float& logit : c.mutable_logits()) logit = 1.0F;
  CHECK_FALSE(c.sorted());
  CHECK(c[c.best()].id == 0);
}

TEST_CASE("find gives a token's place, whatever was removed or moved") {
  auto c = candidates_of({4.0F, 3.0F, 2.0F, 5.0F, 1.0F});
  CHECK(c.find(3) == 3);
  CHECK_FALSE(c.find(5));
  CHECK_FALSE(c.find(-1));
  c.keep_if([](Candidate x) { return x.id != 1; });
  CHECK(c.find(3) == 2);
  CHECK_FALSE(c.find(1));
  c.sort();
  CHECK(c.find(3) == 0);
  CHECK(c.find(4) == 3);
  CHECK_FALSE(c.find(1));
}

TEST_CASE("logits that are not finite") {
  float const nan = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t n : {1u, 5u, 8u, 100u}) {
    for (std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      for (float const bad : {nan, kInfinity}) {
        std::vector<float> logits(n, 1.0F);
        logits[at] = bad;
        CHECK(code_of([&] { candidates_of(logits); }) == Errc::kNotFinite);
      }
    }
  }
  CHECK(code_of([] { candidates_of({-kInfinity, -kInfinity}); }) == Errc::kNotFinite);
  CHECK(code_of([] { candidates_of({}); }) == Errc::kInvalidArgument);
  auto c = candidates_of({-kInfinity, 1.0F, -kInfinity});
  CHECK(c[c.best()].id == 1);
  CHECK(fixed_weight(c.weights()[0]) == 0);

  auto later = candidates_of({1.0F, 2.0F, 3.0F});
  later.mutable_logits()[1] = nan;
  CHECK(code_of([&] { static_cast<void>(later.weights()); }) == Errc::kNotFinite);
  CHECK(code_of([&] { static_cast<void>(later.kth_best(3)); }) == Errc::kNotFinite);
  CHECK(code_of([&] { later.sort(); }) == Errc::kNotFinite);
  later.keep_if([](Candidate) { return false; });
  CHECK(code_of([&] { static_cast<void>(later.best()); }) == Errc::kInvalidArgument);
}

TEST_CASE("weights are exp(logit - max), to two parts in ten million") {
  std::vector<float> logits;
  for (float x = -59.5F; x <= 0.0F; x += 0.0173F) logits.push_back(x + 3.0F);
  logits.push_back(3.0F);
  auto c = candidates_of(logits);
  auto const weights = c.weights();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    double const expected = std::exp(static_cast<double>(logits[i] - 3.0F));
    CHECK(std::abs(static_cast<double>(weights[i]) - expected) <= 2e-7 * expected);
  }
  CHECK(weights.back() == 1.0F);
  CHECK(candidates_of({0.0F, -61.0F}).weights()[1] == 0.0F);
  CHECK(candidates_of({3e38F, -3e38F}).weights()[1] == 0.0F);
}

TEST_CASE("weights have these bits on every platform") {
  Xoshiro256 random(7);
  std::vector<float> logits(1001);
  for (float& x : logits) x = static_cast<float>(random.below(1u << 20)) * 0x1p-15F;
  auto c = candidates_of(logits);
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (float const w : c.weights()) hash = (hash ^ std::bit_cast<std::uint32_t>(w)) * 0x100000001b3u;
  CHECK(hash == 0x93413a4c1d364446u);
}

TEST_CASE("the generator gives the numbers of its authors' code") {
  Xoshiro256 random(0);
  // SplitMix64 from 0 gives e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f, f88bb8a8724c81ec as the state.
  CHECK(random() == 0x99ec5f36cb75f2b4u);
  CHECK(Xoshiro256(1).below(1) == 0);
  for (int i = 0; i < 1000; ++i) CHECK(random.below(10) < 10);
}
