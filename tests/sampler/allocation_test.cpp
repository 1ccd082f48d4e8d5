// A sampler allocates in its first step only, however the distribution changes from step to step.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "lamina/sampler/sampler.hpp"

namespace {
std::atomic<std::size_t> allocations = 0;

void* counted(std::size_t n) {
  ++allocations;
  if (void* p = std::malloc(n == 0 ? 1 : n)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t n) { return counted(n); }
void* operator new[](std::size_t n) { return counted(n); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

using namespace lamina;

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
  std::size_t const before = allocations;
  sampler(peaked, history);
  std::size_t const after_first = allocations;
  CHECK(after_first > before);
  for (int i = 0; i < 3; ++i) {
    for (auto const* logits : {&flat, &rising, &peaked}) sampler(*logits, history);
  }
  CHECK(allocations == after_first);
}
