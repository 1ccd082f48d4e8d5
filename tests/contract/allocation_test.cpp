// A decode step allocates nothing.
#include <doctest/doctest.h>

#include <cstddef>
#include <new>
#include <vector>

#include "count_allocations.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"
#include "model/random_model.hpp"

using namespace lamina;
using namespace lamina::test;

TEST_CASE("the counter counts") {
  CHECK(allocations_of([] { ::operator delete(::operator new(10)); }) == 1);  // a call that no compiler drops
  CHECK(allocations_of([] { AlignedBuffer<float> b(10); }) == 1);
}

TEST_CASE("neither prefill, nor step, evaluate or truncate allocates, in any format or number of threads") {
  auto const tokens = random_tokens(50, 107);
  for (FormatTraits const& t : kFormats) {
    CAPTURE(t.name);
    auto const checkpoint = random_checkpoint(wide_enough({.format = t.format}, t.format));
    for (std::size_t const threads : {1u, 3u}) {
      auto const model = Model<Llama>::load(checkpoint, {.threads = threads});
      Session session(model, {.capacity = 128, .prefill_chunk = 20, .max_logits = 4});
      CHECK(allocations_of([&] { session.prefill(tokens); }) == 0);
      CHECK(allocations_of([&] {
              for (Token const token : tokens) session.step(token);
            }) == 0);
      CHECK(allocations_of([&] {
              session.truncate(60);
              session.evaluate(std::span(tokens).first(4));
            }) == 0);
    }
  }
}

TEST_CASE("a forward pass over many sequences does not allocate") {
  auto const model = Model<Llama>::load(random_checkpoint({.format = Format::kQ4_0}), {.threads = 2});
  ContiguousCache<KvElement::kF16> cache(model.kv_shape(), {.capacity = 64, .max_sequences = 4});
  auto workspace = model.make_workspace({.max_rows = 64, .max_logits = 4, .max_context = 4 * 64});
  auto const tokens = random_tokens(16, 107);
  std::vector<BatchItem> batch;
  for (int i = 0; i < 4; ++i) batch.push_back({cache.create(), tokens, LogitsFor::kLast});
  CHECK(allocations_of([&] {
          for (int i = 0; i < 4; ++i) model.forward(batch, cache, workspace);
        }) == 0);
}
