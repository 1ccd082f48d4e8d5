// batch -m FILE: what a step of several rows costs, against a step of one.
//
// Rows are one new token each of as many sequences, which share the step's weights: batched decoding, and what
// speculation pays to check a draft. Speed drifts on shared machines, so the numbers of rows take turns, and medians of
// the turns' ratios count. stdout ends with one line a number of rows, for scripts:
//   rows SHAPE FORMAT N TIME_RATIO SPEEDUP     time of the step over that of one row; tokens/s over those of one row
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/loaded_model.hpp"
#include "bench/machine.hpp"
#include "bench/program.hpp"
#include "bench/random_weights.hpp"
#include "lamina/cache/contiguous_cache.hpp"
#include "lamina/model/batch.hpp"

namespace lamina::bench {
namespace {

constexpr char kUsage[] =
    "usage: batch -m FILE [options]\n"
    "  --context N         tokens in the cache of each sequence when measuring starts (default 32)\n"
    "  --repeat R          turns (default 20)\n";

constexpr std::array<std::string_view, 6> kOptions{"-m",        "--context", "--repeat",
                                                   "--threads", "--convert", "--kernel-target"};
constexpr std::array<std::size_t, 7> kRows{1, 2, 3, 4, 8, 16, 32};

/// As many sequences as the most rows, each with tokens in the cache.
template <class M>
class Sequences {
 public:
  Sequences(M const& model, std::size_t context, std::size_t steps)
      : model_(model),
        cache_(model.kv_shape(), {.capacity = context + steps, .max_sequences = kRows.back()}),
        workspace_(model.make_workspace({.max_rows = std::max(context, kRows.back()),
                                         .max_logits = kRows.back(),
                                         .max_context = kRows.back() * (context + steps)})) {
    SplitMix random(1);
    for (std::size_t i = 0; i < context; ++i) {
      tokens_.push_back(static_cast<Token>(random() % model.config().n_vocab));
    }
    for (std::size_t i = 0; i < kRows.back(); ++i) {
      ids_.push_back(cache_.create());
      BatchItem const prompt{ids_.back(), tokens_, LogitsFor::kNone};
      model_.forward(std::span(&prompt, 1), cache_, workspace_);
    }
  }

  /// Seconds of one step in which the first n sequences get a token each.
  double step(std::size_t n) {
    std::vector<BatchItem> batch;
    batch.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      batch.push_back({ids_[i], std::span(tokens_).subspan(i % tokens_.size(), 1), LogitsFor::kLast});
    }
    auto const begin = std::chrono::steady_clock::now();
    model_.forward(batch, cache_, workspace_);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  /// Takes the steps' tokens back.
  void rewind() {
    for (SequenceId const id : ids_) cache_.truncate(id, tokens_.size());
  }

 private:
  M const& model_;
  ContiguousCache<KvElement::kF16> cache_;
  typename M::Workspace workspace_;
  std::vector<Token> tokens_;
  std::vector<SequenceId> ids_;
};

template <class M>
void measure(M const& model, std::string const& key, std::size_t context, std::size_t repeat) {
  constexpr std::size_t kSteps = 2;  // of each number of rows in a turn
  Sequences<M> sequences(model, context, kSteps * kRows.size());
  std::array<Samples, kRows.size()> times, ratios;
  for (std::size_t turn = 0; turn < repeat; ++turn) {
    std::fprintf(stderr, "\rturn %zu of %zu ", turn + 1, repeat);
    sequences.rewind();
    double one = 0.0;
    for (std::size_t i = 0; i < kRows.size(); ++i) {
      double best = sequences.step(kRows[i]);
      for (std::size_t s = 1; s < kSteps; ++s) best = std::min(best, sequences.step(kRows[i]));
      if (i == 0) one = best;
      times[i].add(best);
      ratios[i].add(best / one);
    }
  }
  std::fprintf(stderr, "\r%40s\r", "");
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    double const ratio = ratios[i].median();
    std::printf("%2zu rows  %8.2f ms (%.2f to %.2f)  %5.2f times one row's, %6.1f tokens/s\n", kRows[i],
                times[i].median() * 1e3, times[i].min() * 1e3, times[i].max() * 1e3, ratio,
                static_cast<double>(kRows[i]) / times[i].median());
  }
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    double const ratio = ratios[i].median();
    std::printf("rows %s %zu %.3f %.2f\n", key.c_str(), kRows[i], ratio, static_cast<double>(kRows[i]) / ratio);
  }
}

void run(Arguments const& arguments) {
  ModelOptions const options = read_model_options(arguments);
  auto const context = arguments.number<std::size_t>("--context", 32, 1, std::size_t{1} << 20);
  auto const repeat = arguments.number<std::size_t>("--repeat", 20, 1, 10000);
  Checkpoint const checkpoint = Checkpoint::open(options.file);
  AnyModel const model = load_model(checkpoint, options);
  std::printf("%s, %s, %zu threads, kernels %s, %zu tokens in each cache\n", options.file.c_str(),
              machine_name().c_str(), options.threads, std::string(options.kernels->name).c_str(), context);
  model.visit([&](auto const& concrete) {
    std::string const key = shape_of(concrete.config(), options.file) + " " +
                            std::string(count_costs(checkpoint, options.convert, concrete.config().n_layers).format);
    measure(concrete, key, context, repeat);
  });
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  return lamina::bench::run_model_program(argc, argv, lamina::bench::kUsage, lamina::bench::kOptions,
                                          lamina::bench::run);
}
