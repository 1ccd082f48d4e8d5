// The numeric contract: a row of logits has the same bits whatever it was computed with. Random models, so that it runs
// everywhere; ../model/stories_test.cpp does the same on a trained one.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "contract/variants.hpp"

using namespace lamina;
using namespace lamina::test;

TEST_CASE("the logits' fingerprint is the one on record") {
  for_each_variant([](Variant const& v, Checkpoint const& checkpoint, std::vector<Token> const& tokens) {
    CHECK(fnv1a(run(load(checkpoint), tokens, kTokens)) == v.fingerprint);
  });
}

TEST_CASE("chunks of the prompt change no bit") {
  for_each_variant([](Variant const&, Checkpoint const& checkpoint, std::vector<Token> const& tokens) {
    auto const model = load(checkpoint);
    Bits const whole = run(model, tokens, kTokens);
    for (std::size_t const chunk : {1u, 2u, 3u, 7u, 32u}) {
      CAPTURE(chunk);
      CHECK(run(model, tokens, chunk) == whole);
    }
  });
}

TEST_CASE("every instruction set with FMA gives the reference's bits; others are close") {
  for_each_variant([](Variant const&, Checkpoint const& checkpoint, std::vector<Token> const& tokens) {
    Bits const expected = run(load(checkpoint, {.kernels = &reference_kernels()}), tokens, kTokens);
    for (KernelTable const* kernels : available_kernels()) {
      CAPTURE(kernels->name);
      auto const model = load(checkpoint, {.kernels = kernels});
      Bits const bits = run(model, tokens, kTokens);
      if (kernels->bit_exact) {
        CHECK(bits == expected);
        CHECK(run(model, tokens, 1) == expected);
      } else {
        double worst = 0.0, largest = 0.0;
        for (std::size_t i = 0; i < bits.size(); ++i) {
          auto const logit = static_cast<double>(std::bit_cast<float>(expected[i]));
          worst = std::max(worst, std::abs(static_cast<double>(std::bit_cast<float>(bits[i])) - logit));
          largest = std::max(largest, std::abs(logit));
        }
        // Flips of single int8 activations, at most 1.4 % in the models of width 256, 0.1 % in those of 64.
        CHECK(worst < 0.02 * largest);
      }
    }
  });
}

TEST_CASE("a sequence alone and among eight others of mixed lengths has the same bits") {
  for_each_variant([](Variant const&, Checkpoint const& checkpoint, std::vector<Token> const& tokens) {
    auto const model = load(checkpoint, {.threads = 2});
    Bits const alone = run(model, tokens, 1);
    constexpr std::size_t kOthers = 8;
    Cache cache(model.kv_shape(), {.capacity = 128, .max_sequences = kOthers + 1});
    auto workspace = model.make_workspace({.max_rows = 256, .max_logits = 256, .max_context = 9 * 128});
    std::vector<SequenceId> sequences;
    for (std::size_t i = 0; i <= kOthers; ++i) sequences.push_back(cache.create());
    // Ours is in the middle of the batch, in pieces of 1 to 5 tokens; each other one has its own text and piece length,
    // from none to 20, and is taken back now and then.
    auto const other = random_tokens(64, RandomModel{}.n_vocab, 99);
    std::size_t done = 0;
    for (std::size_t round = 0; done < tokens.size(); ++round) {
      std::size_t const n = std::min(round % 5 + 1, tokens.size() - done);
      std::vector<BatchItem> batch;
      std::size_t row = 0;
      for (std::size_t i = 0; i <= kOthers; ++i) {
        if (i == kOthers / 2) {
          batch.push_back({sequences[i], std::span(tokens).subspan(done, n), LogitsFor::kAll});
          continue;
        }
        std::size_t const length = (round * 7 + i * 5) % 21;
        if (length == 0) continue;
        if (cache.length(sequences[i]) + length > cache.capacity()) cache.truncate(sequences[i], i);
        LogitsFor const wanted = i % 3 == 0 ? LogitsFor::kNone : i % 3 == 1 ? LogitsFor::kLast : LogitsFor::kAll;
        batch.push_back({sequences[i], std::span(other).subspan(i, length), wanted});
        if (i < kOthers / 2) row += wanted == LogitsFor::kNone ? 0 : wanted == LogitsFor::kLast ? 1 : length;
      }
      Logits const logits = model.forward(batch, cache, workspace);
      for (std::size_t j = 0; j < n; ++j) {
        Bits const expected(alone.begin() + static_cast<std::ptrdiff_t>((done + j) * logits.cols),
                            alone.begin() + static_cast<std::ptrdiff_t>((done + j + 1) * logits.cols));
        CHECK(bits_of(logits.row(row + j)) == expected);
      }
      done += n;
    }
  });
}

TEST_CASE("rows do not depend on which rows of a batch logits are asked for") {
  for_each_variant([](Variant const&, Checkpoint const& checkpoint, std::vector<Token> const& tokens) {
    auto const model = load(checkpoint, {.threads = 2});
    Bits const alone = run(model, tokens, kTokens);
    // The same text four times over, each in pieces of its own length and with its own wishes, which change: what has
    // been asked of a piece must not show in those after it.
    constexpr std::array<std::size_t, 4> kPieces{1, 4, 7, 20};
    constexpr std::array kWishes{LogitsFor::kNone, LogitsFor::kLast, LogitsFor::kAll,  // each after each other
                                 LogitsFor::kLast, LogitsFor::kNone, LogitsFor::kAll};
    Cache cache(model.kv_shape(), {.capacity = kTokens, .max_sequences = 4});
    auto workspace = model.make_workspace({.max_rows = 32, .max_logits = 32, .max_context = 4 * kTokens});
    std::vector<SequenceId> sequences;
    for (std::size_t i = 0; i < 4; ++i) sequences.push_back(cache.create());
    for (std::size_t round = 0; cache.length(sequences[0]) < kTokens; ++round) {
      std::vector<BatchItem> batch;
      std::vector<std::size_t> expected;  // the place in the text of each row of logits
      for (std::size_t i = 0; i < 4; ++i) {
        std::size_t const done = cache.length(sequences[i]);
        std::size_t const n = std::min(kPieces[i], kTokens - done);
        if (n == 0) continue;
        LogitsFor const wanted = kWishes[(round + i) % kWishes.size()];
        batch.push_back({sequences[i], std::span(tokens).subspan(done, n), wanted});
        std::size_t const first = wanted == LogitsFor::kAll ? 0 : wanted == LogitsFor::kLast ? n - 1 : n;
        for (std::size_t j = first; j < n; ++j) expected.push_back(done + j);
      }
      Logits const logits = model.forward(batch, cache, workspace);
      REQUIRE(logits.rows == expected.size());
      for (std::size_t r = 0; r < logits.rows; ++r) {
        auto const row = alone.begin() + static_cast<std::ptrdiff_t>(expected[r] * logits.cols);
        CHECK(std::ranges::equal(bits_of(logits.row(r)), std::span(row, logits.cols)));
      }
    }
  });
}

TEST_CASE("conversion at load equals a file that was quantized beforehand") {
  auto const tokens = random_tokens(20, RandomModel{}.n_vocab);
  for (FormatTraits const& t : kFormats) {
    CAPTURE(t.name);
    RandomModel model = wide_enough({.format = Format::kF32, .tied = false}, t.format);
    auto const converted = run(load(random_checkpoint(model), {.convert = t.format}), tokens, 20);
    model.format = t.format;
    CHECK(converted == run(load(random_checkpoint(model)), tokens, 20));
  }
  auto const source = random_checkpoint({.format = Format::kF32, .tied = false});
  auto const by_type = Model<Llama, quant::Q4_0>::load(source);
  CHECK(run(by_type, tokens, 20) == run(load(source, {.convert = Format::kQ4_0}), tokens, 20));
}

TEST_CASE("the f32 cache obeys the contract too") {
  auto const checkpoint = random_checkpoint({.format = Format::kQ4_0});
  auto const tokens = random_tokens(kTokens, RandomModel{}.n_vocab);
  using F32Cache = ContiguousCache<KvElement::kF32>;
  Bits const expected = run<F32Cache>(load(checkpoint, {.kernels = &reference_kernels()}), tokens, kTokens);
  for (std::size_t const chunk : {1u, 7u, 75u}) {
    CHECK(run<F32Cache>(load(checkpoint, {.threads = 3}), tokens, chunk) == expected);
  }
}
