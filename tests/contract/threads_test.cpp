// The numeric contract: the number of threads changes no bit, whichever of a step's operations are cut among them.
#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

#include "contract/variants.hpp"

using namespace lamina;
using namespace lamina::test;

TEST_CASE("threads change no bit") {
  for_each_variant([](Variant const&, Checkpoint const& checkpoint, std::vector<Token> const& tokens) {
    Bits const serial = run(load(checkpoint), tokens, kTokens);
    for (std::size_t const threads : {2u, 3u, 4u}) {
      CAPTURE(threads);
      auto const model = load(checkpoint, {.threads = threads});
      CHECK(run(model, tokens, kTokens) == serial);
      CHECK(run(model, tokens, 7) == serial);
      CHECK(run(model, tokens, 1) == serial);
    }
  });
}

TEST_CASE("a model wide enough that each product of a decode step is cut among threads") {
  RandomModel const wide{.n_layers = 1, .dim = 512, .n_heads = 16, .n_kv_heads = 4, .ffn_dim = 1056};
  for (Variant const& v : kVariants) {
    CAPTURE(traits(v.format).name);
    RandomModel m = wide_enough(wide, v.format);
    m.format = v.format;
    auto const checkpoint = random_checkpoint(m);
    // From 128 tokens on attention is cut, too; one format shows it.
    auto const tokens = random_tokens(v.format == Format::kQ8_0 ? 140 : 40, m.n_vocab);
    Bits const serial = run(load(checkpoint), tokens, 40);
    for (std::size_t const threads : {2u, 3u, 4u}) {
      auto const model = load(checkpoint, {.threads = threads});
      CHECK(run(model, tokens, 40) == serial);
      CHECK(run(model, tokens, 1) == serial);
    }
  }
}

TEST_CASE("with Numerics::Fast, too, neither chunks nor threads change a bit") {
  for_each_variant([](Variant const&, Checkpoint const& checkpoint, std::vector<Token> const& tokens) {
    Bits const serial = run(load(checkpoint, {.numerics = Numerics::Fast}), tokens, kTokens);
    for (std::size_t const threads : {1u, 3u}) {
      CAPTURE(threads);
      auto const model = load(checkpoint, {.threads = threads, .numerics = Numerics::Fast});
      CHECK(run(model, tokens, kTokens) == serial);
      CHECK(run(model, tokens, 7) == serial);
      CHECK(run(model, tokens, 1) == serial);
    }
  });
}
