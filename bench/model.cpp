// model -m FILE: how fast a model reads a prompt and writes, in tokens/s and as shares of what the machine can do.
//
// Speed drifts on shared machines. So prefill is set against peaks measured right before and right after it (the higher
// of the two); decoding takes turns with reading, some tokens and then every way to read once, and each turn is set
// against the reading right before and right after it. stdout ends with one line per figure for scripts:
//   speed SHAPE FORMAT prefill512|decode TOKENS_PER_SECOND
//   limit SHAPE FORMAT prefill512|decode SHARE          of the arithmetic peak, of the read bandwidth
//   cost SHAPE FORMAT prefill512|decode GOP GB          operations and bytes of weights and cache, of one token
//   machine integer|float|read GOP_OR_GB_PER_SECOND     the limits
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/loaded_model.hpp"
#include "bench/machine.hpp"
#include "bench/program.hpp"
#include "bench/random_weights.hpp"
#include "lamina/cache/contiguous_cache.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/model/any_model.hpp"
#include "lamina/model/session.hpp"

namespace lamina::bench {
namespace {

constexpr char kUsage[] =
    "usage: model -m FILE [options]\n"
    "  --prefill N         tokens of the prompt (default 512)\n"
    "  --decode N          tokens generated after it (default 64)\n"
    "  --context N         tokens in the cache when decoding starts (default 0)\n"
    "  --repeat R          runs of each (default 5)\n";

constexpr std::array<std::string_view, 8> kOptions{"-m",        "--prefill", "--decode", "--context",
                                                   "--threads", "--convert", "--repeat", "--kernel-target"};

struct Options : ModelOptions {
  std::size_t prefill;
  std::size_t decode;
  std::size_t context;
  std::size_t repeat;
};

Options read_options(Arguments const& arguments) {
  constexpr std::size_t kMany = std::size_t{1} << 20;
  return {read_model_options(arguments), arguments.number<std::size_t>("--prefill", 512, 1, kMany),
          arguments.number<std::size_t>("--decode", 64, 1, kMany),
          arguments.number<std::size_t>("--context", 0, 0, kMany),
          arguments.number<std::size_t>("--repeat", 5, 1, kMany)};
}

/// The machine's arithmetic at one moment, in operations per second.
struct Peaks {
  double integers = 0;
  double floats = 0;
};

Peaks measure_peaks(Options const& options) {
  Target const target = options.kernels->target;
  return {measure_integer_peak(target, options.threads), measure_float_peak(target, options.threads)};
}

Peaks higher(Peaks const& a, Peaks const& b) {
  return {std::max(a.integers, b.integers), std::max(a.floats, b.floats)};
}

struct Results {
  Samples integer_peak;  // Gop/s
  Samples float_peak;    // Gop/s
  Samples prefill;       // tokens/s
  Samples prefill_share;
  Samples decode;  // tokens/s
  Samples decode_share;
};

template <class F>
double seconds(F f) {
  auto const begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// One model under measurement.
template <class M>
class Bench {
 public:
  Bench(M const& model, Costs const& costs, Options const& options)
      : costs_(costs),
        options_(options),
        weight_bytes_(static_cast<double>(model.bytes_per_token())),
        kv_bytes_(
            static_cast<double>(2 * model.config().n_layers * model.config().kv_dim() * size_of(KvElement::kF16))),
        session_(model, cache_for(model, std::max(options.prefill, options.context + options.decode))),
        meter_(options.threads) {
    std::size_t const n_tokens = std::max({options.prefill, options.context, options.decode});
    SplitMix random(1);
    for (std::size_t i = 0; i < n_tokens; ++i) {
      tokens_.push_back(static_cast<Token>(random() % model.config().n_vocab));
    }
  }

  /// Bytes of weights and cache that one decode step reads, on average over the run.
  [[nodiscard]] double bytes_per_token() const {
    double const length = static_cast<double>(options_.context) + static_cast<double>(options_.decode + 1) / 2;
    return weight_bytes_ + kv_bytes_ * length;
  }

  /// Measures everything; the read limit is then in meter().
  [[nodiscard]] Results run() {
    Results results;
    turns_.clear();
    session_.prefill(std::span(tokens_).first(1));  // touches the weights and the workspace
    Peaks before = measure_peaks(options_);
    for (std::size_t i = 0; i < options_.repeat; ++i) {
      std::fprintf(stderr, "\rrun %zu of %zu: prefill ", i + 1, options_.repeat);
      double const prefill = time_prefill();
      Peaks const after = measure_peaks(options_);
      add_prefill(results, prefill, higher(before, after));
      std::fprintf(stderr, "\rrun %zu of %zu: decode  ", i + 1, options_.repeat);
      time_decode(results);
      before = measure_peaks(options_);
    }
    add_decode_shares(results);
    std::fprintf(stderr, "\r%40s\r", "");
    return results;
  }

  [[nodiscard]] ReadMeter const& meter() const noexcept { return meter_; }

 private:
  using Cache = typename Session<M>::Cache;
  /// Every token of it will be used.
  static std::shared_ptr<Cache> cache_for(M const& model, std::size_t capacity) {
    return std::make_shared<Cache>(model.kv_shape(), CacheOptions{.capacity = capacity, .pages = Pages::kHuge});
  }

  /// Seconds of decoding between two samples of the read limit: about what a sample takes.
  static constexpr double kTurn = 0.2;

  double time_prefill() {
    session_.truncate(0);
    return seconds([&] { session_.prefill(std::span(tokens_).first(options_.prefill)); });
  }

  void time_decode(Results& results) {
    session_.truncate(std::min(options_.prefill, options_.context));
    if (options_.context > session_.length()) {
      session_.prefill(std::span(tokens_).subspan(session_.length(), options_.context - session_.length()));
    }
    meter_.sample();
    for (std::size_t done = 0; done < options_.decode;) {
      double elapsed = 0;
      std::size_t n = 0;
      for (; done + n < options_.decode && elapsed < kTurn; ++n) {
        elapsed += seconds([&] { session_.step(tokens_[done + n]); });
      }
      results.decode.add(static_cast<double>(n) / elapsed);
      turns_.push_back(meter_.samples());
      meter_.sample();
      done += n;
    }
  }

  /// Once it is known which way to read is the best.
  void add_decode_shares(Results& results) const {
    Samples const& read = meter_.best().bytes_per_second;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      double const seconds_per_byte = (1 / read[turns_[i] - 1] + 1 / read[turns_[i]]) / 2;
      results.decode_share.add(results.decode[i] * bytes_per_token() * seconds_per_byte);
    }
  }

  void add_prefill(Results& results, double prefill_seconds, Peaks const& peaks) const {
    auto const n_prefill = static_cast<double>(options_.prefill);
    Operations const ops = costs_.of_prompt(options_.prefill);
    double at_peak = 0;  // seconds
    if (peaks.integers > 0) at_peak += ops.integer / peaks.integers;
    if (peaks.floats > 0) at_peak += ops.floats / peaks.floats;
    results.integer_peak.add(peaks.integers / 1e9);
    results.float_peak.add(peaks.floats / 1e9);
    results.prefill.add(n_prefill / prefill_seconds);
    results.prefill_share.add(at_peak / prefill_seconds);
  }

  Costs costs_;
  Options options_;
  double weight_bytes_;
  double kv_bytes_;  // of one cached token
  Session<M> session_;
  ReadMeter meter_;
  std::vector<std::size_t> turns_;  // of decoding: samples of reading before each
  std::vector<Token> tokens_;
};

void print_samples(char const* name, Samples const& samples, char const* unit, double scale = 1) {
  std::printf("%-14s %8.1f %s (%.1f to %.1f)\n", name, samples.median() * scale, unit, samples.min() * scale,
              samples.max() * scale);
}

void print(Results const& results, ReadBandwidth const& read, Costs const& costs, Options const& options,
           std::string const& shape, double bytes_per_token) {
  print_samples("read limit", read.bytes_per_second, "GB/s", 1e-9);
  std::printf("%-14s %s\n", "  best by", std::string(read.pattern).c_str());
  print_samples("integer peak", results.integer_peak, "Gop/s");
  print_samples("float peak", results.float_peak, "Gop/s");
  double const prompt_gop = costs.of_prompt(options.prefill).total() / static_cast<double>(options.prefill) / 1e9;
  std::printf("%-14s %8.3f GB read per decoded token, %.3f Gop per prompt token\n", "costs", bytes_per_token / 1e9,
              prompt_gop);
  print_samples("prefill", results.prefill, "tokens/s");
  print_samples("  share", results.prefill_share, "% of the arithmetic peak", 100);
  print_samples("decode", results.decode, "tokens/s");
  print_samples("  share", results.decode_share, "% of the read limit", 100);
  std::string const key = shape + " " + std::string(costs.format);
  std::printf("speed %s prefill%zu %.2f\n", key.c_str(), options.prefill, results.prefill.median());
  std::printf("speed %s decode %.2f\n", key.c_str(), results.decode.median());
  std::printf("limit %s prefill%zu %.3f\n", key.c_str(), options.prefill, results.prefill_share.median());
  std::printf("limit %s decode %.3f\n", key.c_str(), results.decode_share.median());
  std::printf("cost %s prefill%zu %.4f %.6f\n", key.c_str(), options.prefill, prompt_gop,
              bytes_per_token / 1e9 / static_cast<double>(options.prefill));
  std::printf("cost %s decode %.4f %.6f\n", key.c_str(), costs.of_step().total() / 1e9, bytes_per_token / 1e9);
  std::printf("machine integer %.1f\n", results.integer_peak.median());
  std::printf("machine float %.1f\n", results.float_peak.median());
  std::printf("machine read %.2f\n", read.bytes_per_second.median() / 1e9);
}

void run(Arguments const& arguments) {
  Options const options = read_options(arguments);
  Checkpoint const checkpoint = Checkpoint::open(options.file);
  auto const begin = std::chrono::steady_clock::now();
  AnyModel const model = load_model(checkpoint, options);
  std::chrono::duration<double> const load_time = std::chrono::steady_clock::now() - begin;

  std::printf("%s, %s, %zu threads, kernels %s\n", options.file.c_str(), machine_name().c_str(), options.threads,
              std::string(options.kernels->name).c_str());
  std::printf("%-14s %8.2f s\n", "load", load_time.count());
  model.visit([&](auto const& concrete) {
    Costs const costs = count_costs(checkpoint, options.convert, concrete.config().n_layers);
    Bench bench(concrete, costs, options);
    Results const results = bench.run();
    print(results, bench.meter().best(), costs, options, shape_of(concrete.config(), options.file),
          bench.bytes_per_token());
  });
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  return lamina::bench::run_model_program(argc, argv, lamina::bench::kUsage, lamina::bench::kOptions,
                                          lamina::bench::run);
}
