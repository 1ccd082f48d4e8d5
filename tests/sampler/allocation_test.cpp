// A sampler allocates in its first step only, however the distribution changes from step to step.
#include <doctest/doctest.h>

#include <vector>

#include "count_allocations.hpp"
#include "lamina/sampler/sampler.hpp"

using namespace lamina;
using namespace lamina::test;

TEST_CASE("only the first step allocates") {
  constexpr std::size_t kVocabulary = 20'000;
  std::vector<float> peaked(kVocabulary, -20.0F);
  peaked[17] = 10.0F;
  std::vector<float> rising(kVocabulary);
  for (std::size_t i = 0; i < kVocabulary; ++i) rising[i] = 1e-3F * static_cast<float>(i);
  std::vector<float> flat(kVocabulary, 1.0F);
  std::vector<Token> const history(64, 3);

  auto sampler = penalties({.repetition = 1.1F}) | logit_bias({{5, 1.0F}}) | top_k(10'000) | top_p(0.99F) |
                 min_p(1e-4F) | temperature(0.9F) | [](Candidates& c) { c.sort(); } | draw(1);
  CHECK(allocations_of([&] { sampler(peaked, history); }) > 0);
  for (int i = 0; i < 3; ++i) {
    for (auto const* logits : {&flat, &rising, &peaked}) {
      CHECK(allocations_of([&] { sampler(*logits, history); }) == 0);
    }
  }
}
