#include "lamina/cache/contiguous_cache.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

using namespace lamina;

namespace {

constexpr KvShape kShape{.n_layers = 3, .n_kv_heads = 2, .head_dim = 8};
constexpr std::size_t kHalf = 8 * kKvBlock;  // elements of K (or V) in a block

template <class F>
Errc code_of(F&& f) {
  try {
    f();
  } catch (Error const& e) {
    return e.code();
  }
  FAIL("no Error was thrown");
  return Errc::kIo;
}

template <class Cache>
void fill(Cache& cache, SequenceId s, std::size_t n_tokens, float seed) {
  cache.reserve(s, n_tokens);
  std::vector<KvBlockRef> refs(cache.max_blocks());
  for (std::size_t layer = 0; layer < kShape.n_layers; ++layer) {
    for (std::size_t head = 0; head < kShape.n_kv_heads; ++head) {
      for (auto const& block : cache.blocks(s, layer, head, cache.length(s) + n_tokens, refs)) {
        std::vector<float> const values(kHalf * size_of(cache.element()) / 4,
                                        seed + static_cast<float>(layer * 10 + head));
        std::memcpy(block.k, values.data(), values.size() * 4);
        std::memcpy(block.v, values.data(), values.size() * 4);
      }
    }
  }
  cache.commit(s, n_tokens);
}

template <class Cache>
float first_key(Cache& cache, SequenceId s, std::size_t layer, std::size_t head) {
  std::vector<KvBlockRef> refs(cache.max_blocks());
  auto const blocks = cache.blocks(s, layer, head, cache.length(s), refs);
  float value = 0;
  std::memcpy(&value, blocks.back().k, 4);
  return value;
}

}  // namespace

TEST_CASE_TEMPLATE("memory is for whole blocks, and full is an error that leaves the sequence as it was", Cache,
                   ContiguousCache<KvElement::kF32>, ContiguousCache<KvElement::kF16>) {
  Cache cache(kShape, {.capacity = 40, .max_sequences = 2});
  CHECK(cache.capacity() == 40);
  CHECK(cache.max_blocks() == 2);
  CHECK(cache.bytes() == 2 * 3 * 2 * 2 * 2 * kHalf * size_of(cache.element()));
  auto const s = cache.create();
  CHECK(cache.length(s) == 0);
  cache.reserve(s, 40);
  CHECK(cache.length(s) == 0);
  cache.commit(s, 36);
  CHECK(cache.length(s) == 36);
  CHECK(code_of([&] { cache.reserve(s, 5); }) == Errc::kContextFull);
  CHECK(code_of([&] { cache.reserve(s, std::numeric_limits<std::size_t>::max()); }) == Errc::kContextFull);
  CHECK(cache.length(s) == 36);
  CHECK(code_of([&] { cache.commit(s, 5); }) == Errc::kInvalidArgument);
}

TEST_CASE("blocks are disjoint, aligned where the head is, and in order of position") {
  ContiguousCache<KvElement::kF16> cache(kShape, {.capacity = 96, .max_sequences = 3});
  std::vector<std::byte*> starts;
  std::vector<KvBlockRef> refs(cache.max_blocks());
  for (int i = 0; i < 3; ++i) {
    auto const s = cache.create();
    cache.reserve(s, 96);
    for (std::size_t layer = 0; layer < 3; ++layer) {
      for (std::size_t head = 0; head < 2; ++head) {
        CHECK(cache.blocks(s, layer, head, 0, refs).empty());
        CHECK(cache.blocks(s, layer, head, 32, refs).size() == 1);
        CHECK(cache.blocks(s, layer, head, 33, refs).size() == 2);
        for (auto const& b : cache.blocks(s, layer, head, 96, refs)) {
          starts.push_back(b.k);
          starts.push_back(b.v);
          CHECK(reinterpret_cast<std::uintptr_t>(b.k) % kAlignment == 0);
        }
      }
    }
  }
  std::sort(starts.begin(), starts.end());
  REQUIRE(starts.size() == 3 * 3 * 2 * 3 * 2);
  for (std::size_t i = 1; i < starts.size(); ++i) CHECK(starts[i] - starts[i - 1] >= std::ptrdiff_t{2 * kHalf});
}

TEST_CASE("on huge pages, too, memory is zero and blocks keep what is written") {
  // More than two huge pages, and less than one.
  for (std::size_t const capacity : {std::size_t{64}, std::size_t{1} << 16}) {
    ContiguousCache<KvElement::kF16> cache(kShape, {.capacity = capacity, .pages = Pages::kHuge});
    auto const s = cache.create();
    cache.reserve(s, capacity);
    std::vector<KvBlockRef> refs(cache.max_blocks());
    auto const last = cache.blocks(s, 2, 1, capacity, refs).back();
    float value = 1.0F;
    std::memcpy(&value, last.v + 2 * kHalf - 4, 4);
    CHECK(value == 0.0F);
    cache.reserve(s, 0);
    fill(cache, s, capacity, 5.0F);
    CHECK(first_key(cache, s, 2, 1) == 26.0F);
    CHECK(first_key(cache, s, 0, 0) == 5.0F);
  }
}

TEST_CASE("blocks checks what it is asked") {
  ContiguousCache<KvElement::kF32> cache(kShape, {.capacity = 64});
  auto const s = cache.create();
  cache.reserve(s, 40);
  std::vector<KvBlockRef> refs(2);
  CHECK(code_of([&] { cache.blocks(s, 3, 0, 1, refs); }) == Errc::kInvalidArgument);
  CHECK(code_of([&] { cache.blocks(s, 0, 2, 1, refs); }) == Errc::kInvalidArgument);
  CHECK(code_of([&] { cache.blocks(s, 0, 0, 41, refs); }) == Errc::kInvalidArgument);
  CHECK(code_of([&] { cache.blocks(s, 0, 0, 40, std::span(refs).first(1)); }) == Errc::kInvalidArgument);
}

TEST_CASE("fork copies, truncate forgets, and neither touches the other sequence") {
  ContiguousCache<KvElement::kF32> cache(kShape, {.capacity = 64, .max_sequences = 2});
  auto const a = cache.create();
  fill(cache, a, 33, 1.0F);
  auto const b = cache.fork(a);
  CHECK(cache.length(b) == 33);
  CHECK(first_key(cache, b, 2, 1) == 22.0F);
  fill(cache, b, 1, 5.0F);
  CHECK(first_key(cache, b, 2, 1) == 26.0F);
  CHECK(first_key(cache, a, 2, 1) == 22.0F);
  cache.truncate(b, 3);
  CHECK(cache.length(b) == 3);
  CHECK(cache.length(a) == 33);
  CHECK(code_of([&] { cache.truncate(b, 4); }) == Errc::kInvalidArgument);
}

TEST_CASE("sequences are limited, freed by release, and dead ones are caught") {
  ContiguousCache<KvElement::kF32> cache(kShape, {.capacity = 32, .max_sequences = 2});
  auto const a = cache.create();
  auto const b = cache.create();
  CHECK(code_of([&] { cache.create(); }) == Errc::kContextFull);
  CHECK(code_of([&] { cache.fork(a); }) == Errc::kContextFull);
  fill(cache, a, 7, 0.0F);
  cache.release(a);
  CHECK(code_of([&] { static_cast<void>(cache.length(a)); }) == Errc::kInvalidArgument);
  CHECK(code_of([&] { cache.release(a); }) == Errc::kInvalidArgument);
  auto const c = cache.create();
  CHECK(cache.length(c) == 0);
  CHECK(c != a);
  CHECK(code_of([&] { cache.reserve(a, 1); }) == Errc::kInvalidArgument);
  CHECK(code_of([&] { cache.commit(SequenceId{12345}, 1); }) == Errc::kInvalidArgument);
  CHECK(cache.length(b) == 0);
}

TEST_CASE("absurd sizes are errors, never a crash") {
  using Cache = ContiguousCache<KvElement::kF16>;
  constexpr auto huge = std::numeric_limits<std::size_t>::max();
  for (CacheOptions const options :
       {CacheOptions{0, 1}, CacheOptions{32, 0}, CacheOptions{huge, 1}, CacheOptions{huge / 2, 65536},
        CacheOptions{32, huge}, CacheOptions{huge / 256, 1}}) {
    CHECK(code_of([&] { Cache cache(kShape, options); }) == Errc::kInvalidArgument);
  }
  CHECK(code_of([&] { Cache cache(KvShape{}, {}); }) == Errc::kInvalidArgument);
  CHECK(code_of([&] { Cache cache(KvShape{1, huge, 1}, {}); }) == Errc::kInvalidArgument);
}
