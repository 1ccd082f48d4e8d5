// Attention over cache blocks: every table equals the reference, for any tiling; the reference equals plain attention
// in double precision to a tolerance; tokens that a query does not see are never touched.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/elementwise_inputs.hpp"

namespace {

using lamina::AttendArgs;
using lamina::KernelTable;
using lamina::kKvBlock;
using lamina::KvBlockRef;
using lamina::KvElement;
using lamina::test::difference;
using lamina::test::Random;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

struct Shape {
  std::size_t head_dim = 64;
  std::size_t group = 1;
  std::size_t cached = 0;  // tokens before the first query
  std::size_t n_tokens = 1;
  KvElement element = KvElement::kF16;
  std::size_t window = 0;
};

/// Queries, and a cache that a table has filled. What lies beyond the last token is NaN.
struct Problem {
  Shape shape;
  std::vector<float> q, k, v;
  std::vector<std::byte> memory;
  std::vector<KvBlockRef> blocks;

  Problem(Shape const& s, std::uint64_t seed, float spread = 2.0F) : shape(s) {
    Random random(seed);
    std::size_t const total = s.cached + s.n_tokens;
    q = random.floats(s.n_tokens * s.group * s.head_dim, -spread, spread);
    k = random.floats(total * s.head_dim, -spread, spread);
    v = random.floats(total * s.head_dim);
    std::size_t const block_bytes = kKvBlock * s.head_dim * lamina::size_of(s.element);
    memory.assign(lamina::div_ceil(total, kKvBlock) * 2 * block_bytes, std::byte{0xff});  // all ones are NaN
    for (std::size_t b = 0; b < lamina::div_ceil(total, kKvBlock); ++b) {
      blocks.push_back({&memory[2 * b * block_bytes], &memory[(2 * b + 1) * block_bytes]});
    }
    for (std::size_t t = 0; t < total; ++t) store(t);
  }

  void store(std::size_t t) {
    lamina::reference_kernels().store_kv(shape.element, shape.head_dim, &k[t * shape.head_dim], &v[t * shape.head_dim],
                                         blocks[t / kKvBlock], t % kKvBlock);
  }

  /// Query tokens [first, first + count), in rows of their own strides.
  std::vector<float> run(KernelTable const& table, std::size_t first, std::size_t count) const {
    std::size_t const width = shape.group * shape.head_dim;
    std::vector<float> out(count * width, kNaN);
    AttendArgs args;
    args.element = shape.element;
    args.head_dim = shape.head_dim;
    args.group = shape.group;
    args.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
    args.q = {q.data() + first * width, count, width};
    args.out = {out.data(), count, width};
    args.first_position = shape.cached + first;
    args.window = shape.window;
    args.blocks = blocks;
    table.attend(args);
    return out;
  }
  std::vector<float> run(KernelTable const& table) const { return run(table, 0, shape.n_tokens); }
};

void check_equals_reference(Shape const& shape, std::uint64_t seed) {
  CAPTURE(shape.head_dim);
  CAPTURE(shape.group);
  CAPTURE(shape.cached);
  CAPTURE(shape.n_tokens);
  CAPTURE(shape.window);
  Problem const problem(shape, seed);
  auto const want = problem.run(lamina::reference_kernels());
  CHECK(std::none_of(want.begin(), want.end(), [](float x) { return std::isnan(x); }));
  for (auto const* table : lamina::available_kernels())
    CHECK(difference(*table, problem.run(*table), want, 1e-4F) == "");
}

TEST_CASE("attend equals the reference: head sizes") {
  std::uint64_t seed = 1;
  for (std::size_t const head_dim :
       {1u, 2u, 3u, 7u, 8u, 12u, 16u, 20u, 31u, 40u, 64u, 80u, 96u, 100u, 128u, 192u, 255u, 256u}) {
    for (auto const element : {KvElement::kF32, KvElement::kF16}) {
      check_equals_reference({.head_dim = head_dim, .group = 2, .cached = 45, .n_tokens = 5, .element = element},
                             ++seed);
    }
  }
}

TEST_CASE("attend equals the reference: groups and numbers of tokens") {
  std::uint64_t seed = 100;
  for (std::size_t group = 1; group <= 9; ++group) {
    for (std::size_t const n_tokens : {1u, 2u, 3u, 5u, 33u}) {
      check_equals_reference({.head_dim = 16, .group = group, .cached = 10 * group, .n_tokens = n_tokens}, ++seed);
    }
  }
  check_equals_reference({.head_dim = 8, .group = 71, .cached = 40, .n_tokens = 2}, ++seed);
  check_equals_reference({.head_dim = 8, .group = 130, .cached = 40, .n_tokens = 2}, ++seed);
}

TEST_CASE("attend equals the reference: positions and windows") {
  std::uint64_t seed = 200;
  for (std::size_t const cached : {0u, 1u, 30u, 31u, 32u, 33u, 100u}) {
    for (std::size_t const window : {0u, 1u, 2u, 5u, 31u, 32u, 33u, 64u, 1000u}) {
      check_equals_reference({.head_dim = 24, .group = 2, .cached = cached, .n_tokens = 40, .window = window}, ++seed);
    }
  }
}

TEST_CASE("attend equals the reference: many blocks") {
  std::uint64_t seed = 250;
  for (std::size_t const cached : {255u, 256u, 270u, 287u, 500u}) {
    for (std::size_t const head_dim : {5u, 64u, 128u, 130u}) {  // of the last, 24 rows are too many to be copied
      for (std::size_t const window : {0u, 290u}) {
        for (auto const element : {KvElement::kF32, KvElement::kF16}) {
          check_equals_reference({.head_dim = head_dim,
                                  .group = 1 + cached % 4,
                                  .cached = cached,
                                  .n_tokens = 13,
                                  .element = element,
                                  .window = window},
                                 ++seed);
        }
      }
    }
  }
}

TEST_CASE("attend equals the reference: windows that begin and end within the tiles of any group") {
  std::uint64_t seed = 280;
  for (std::size_t const group : {3u, 4u, 5u, 7u, 9u, 71u}) {
    for (std::size_t const window : {9u, 40u, 300u}) {
      for (std::size_t const cached : {20u, 340u}) {
        check_equals_reference({.head_dim = 24, .group = group, .cached = cached, .n_tokens = 37, .window = window},
                               ++seed);
      }
    }
  }
}

TEST_CASE("attend equals the reference: sharp and flat scores") {
  for (float const spread : {0.0F, 1e-20F, 30.0F, 1e4F}) {
    Problem const problem({.head_dim = 32, .group = 3, .cached = 90, .n_tokens = 7, .element = KvElement::kF32}, 300,
                          spread);
    auto const want = problem.run(lamina::reference_kernels());
    for (auto const* table : lamina::available_kernels()) {
      if (table->bit_exact || spread < 1.0F) CHECK(difference(*table, problem.run(*table), want) == "");
    }
  }
}

TEST_CASE("attend is softmax(q k) v") {
  Shape const shape{
      .head_dim = 64, .group = 2, .cached = 150, .n_tokens = 20, .element = KvElement::kF32, .window = 100};
  Problem const problem(shape, 400);
  for (auto const* table : lamina::available_kernels()) {
    auto const got = problem.run(*table);
    for (std::size_t row = 0; row < shape.n_tokens * shape.group; ++row) {
      std::size_t const position = shape.cached + row / shape.group;
      float const* q = &problem.q[row * shape.head_dim];
      std::vector<double> sum(shape.head_dim);
      double weights = 0.0;
      for (std::size_t t = position - 99; t <= position; ++t) {
        double score = 0.0;
        for (std::size_t d = 0; d < shape.head_dim; ++d)
          score += static_cast<double>(q[d]) * problem.k[t * shape.head_dim + d];
        double const weight = std::exp(score / 8.0);
        weights += weight;
        for (std::size_t d = 0; d < shape.head_dim; ++d) sum[d] += weight * problem.v[t * shape.head_dim + d];
      }
      for (std::size_t d = 0; d < shape.head_dim; ++d) {
        CHECK(std::fabs(got[row * shape.head_dim + d] - sum[d] / weights) < 2e-6);
      }
    }
  }
}

TEST_CASE("a query's result does not depend on the queries that it is computed with") {
  for (auto const& [cached, window] : {std::pair{13u, 0u}, {13u, 40u}, {250u, 0u}}) {
    Problem const problem({.head_dim = 40, .group = 3, .cached = cached, .n_tokens = 70, .window = window}, 500);
    for (auto const* table : lamina::available_kernels()) {
      auto const whole = problem.run(*table);
      for (std::size_t const chunk : {1u, 2u, 3u, 7u, 32u}) {
        std::vector<float> joined;
        for (std::size_t first = 0; first < 70; first += chunk) {
          auto const part = problem.run(*table, first, std::min<std::size_t>(chunk, 70 - first));
          joined.insert(joined.end(), part.begin(), part.end());
        }
        CHECK(std::memcmp(joined.data(), whole.data(), whole.size() * sizeof(float)) == 0);
      }
    }
  }
}

TEST_CASE("tokens that a query does not see may hold anything") {
  for (auto const& [group, cached, window] : {std::tuple{1u, 50u, 45u}, {1u, 400u, 395u}, {4u, 400u, 395u}}) {
    Shape const shape{
        .head_dim = 16, .group = group, .cached = cached, .n_tokens = 12, .element = KvElement::kF32, .window = window};
    Problem problem(shape, 600);
    auto const before = problem.run(lamina::reference_kernels());
    for (std::size_t const t : {3u, cached + 11u}) {  // before the first window; after all but the last query
      std::fill_n(&problem.k[t * 16], 16, std::numeric_limits<float>::infinity());
      std::fill_n(&problem.v[t * 16], 16, kNaN);
      problem.store(t);
    }
    std::size_t const width = group * 16;
    for (auto const* table : lamina::available_kernels()) {
      auto const after = problem.run(*table);
      CHECK(difference(*table, std::span(after).first(11 * width), std::span(before).first(11 * width)) == "");
      CHECK(std::ranges::all_of(std::span(after).subspan(11 * width), [](float x) { return std::isnan(x); }));
    }
  }
}

TEST_CASE("NaN and infinity in what a query sees make NaN, not a number") {
  for (float const bad : {kNaN, std::numeric_limits<float>::infinity()}) {
    Problem problem({.head_dim = 16, .cached = 70, .element = KvElement::kF32}, 700);
    for (std::size_t d = 0; d < 16; ++d) problem.q[d] = 1.0F;
    problem.k[40 * 16 + 3] = bad;
    problem.store(40);
    for (auto const* table : lamina::available_kernels()) {
      for (float const x : problem.run(*table)) CHECK(std::isnan(x));
    }
  }
}

TEST_CASE("store_kv writes one token, in half precision to the bit") {
  std::vector<float> values;
  for (std::uint32_t h = 0; h < 0x10000u; ++h) {
    float const value = lamina::to_float(lamina::Half{static_cast<std::uint16_t>(h)});
    if (std::isnan(value)) continue;
    auto const bits = std::bit_cast<std::uint32_t>(value);
    // The half itself, the tie above it, and the neighbours of that tie.
    for (std::uint32_t const offset : {0u, 0xfffu, 0x1000u, 0x1001u})
      values.push_back(std::bit_cast<float>(bits + offset));
  }
  Random random(800);
  for (int i = 0; i < 100000; ++i)
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random.bits() >> 32)));
  std::erase_if(values, [](float x) { return std::isnan(x); });
  constexpr std::size_t kDim = 253;
  values.resize(values.size() / kDim * kDim);
  for (auto const element : {KvElement::kF32, KvElement::kF16}) {
    std::vector<std::byte> want_memory(2 * kDim * kKvBlock * 4), got_memory(want_memory.size());
    KvBlockRef const want{want_memory.data(), &want_memory[kDim * kKvBlock * 4]};
    KvBlockRef const got{got_memory.data(), &got_memory[kDim * kKvBlock * 4]};
    for (auto const* table : lamina::available_kernels()) {
      for (std::size_t i = 0, t = 0; i < values.size(); i += kDim, t = (t + 1) % kKvBlock) {
        std::size_t const other = (i + 5 * kDim) % values.size();
        lamina::reference_kernels().store_kv(element, kDim, &values[i], &values[other], want, t);
        table->store_kv(element, kDim, &values[i], &values[other], got, t);
      }
      CHECK_MESSAGE(got_memory == want_memory, table->name);
    }
  }
}

TEST_CASE("every finite half is read as its value") {
  // One visible token: its weight is 1, so the result is its value.
  constexpr std::size_t kDim = 256;
  std::vector<std::byte> memory(2 * kDim * kKvBlock * 2);
  std::vector<KvBlockRef> const blocks{{memory.data(), &memory[kDim * kKvBlock * 2]}};
  std::vector<float> const q(kDim, 0.0F);
  for (auto const* table : lamina::available_kernels()) {
    for (std::uint32_t h = 0; h < 0x10000u; h += kDim) {
      std::vector<float> want(kDim), got(kDim);
      for (std::uint32_t d = 0; d < kDim; ++d) {
        lamina::Half const half{static_cast<std::uint16_t>(h + d)};
        std::memcpy(blocks[0].v + 2 * d, &half, 2);
        want[d] = lamina::to_float(half) + 0.0F;
      }
      AttendArgs args;
      args.element = KvElement::kF16;
      args.head_dim = kDim;
      args.q = {q.data(), 1, kDim};
      args.out = {got.data(), 1, kDim};
      args.blocks = blocks;
      table->attend(args);
      CHECK(difference(*table, got, want, 0.0F) == "");
    }
  }
}

TEST_CASE("the same bits on every architecture") {
  std::vector<float> all;
  for (auto const element : {KvElement::kF32, KvElement::kF16}) {
    Problem const problem({.head_dim = 80, .group = 4, .cached = 77, .n_tokens = 30, .element = element}, 900);
    auto const out = problem.run(lamina::reference_kernels());
    all.insert(all.end(), out.begin(), out.end());
  }
  CHECK(lamina::test::fingerprint(all) == 2078831424940643349u);
}

}  // namespace
