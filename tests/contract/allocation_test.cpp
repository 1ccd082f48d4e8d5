// A decode step allocates nothing: global operator new counts.
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"
#include "model/random_model.hpp"

namespace {

std::atomic<std::size_t> allocations{0};

void* counted(std::size_t n, std::size_t alignment) {
  ++allocations;
  std::size_t const whole = (n + alignment - 1) / alignment * alignment;
  void* p = std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

// The array forms and the nothrow forms call these.
void* operator new(std::size_t n) { return counted(n, alignof(std::max_align_t)); }
void* operator new(std::size_t n, std::align_val_t a) { return counted(n, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace lamina;
using namespace lamina::test;

namespace {

template <class F>
std::size_t allocations_of(F&& f) {
  std::size_t const before = allocations.load();
  f();
  return allocations.load() - before;
}

}  // namespace

TEST_CASE("the counter counts") {
  CHECK(allocations_of([] { std::vector<int> v(10); }) == 1);
  CHECK(allocations_of([] { AlignedBuffer<float> b(10); }) == 1);
}

TEST_CASE("neither prefill, nor step, evaluate or truncate allocates, in any format or number of threads") {
  auto const tokens = random_tokens(50, 107);
  for (FormatTraits const& t : kFormats) {
    CAPTURE(t.name);
    auto const checkpoint = random_checkpoint({.format = t.format});
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
