// model -m FILE: how fast a model reads a prompt and writes, in tokens/s and as shares of what the machine can do.
//
// Speed drifts on shared machines, so each repeat is set against limits measured right before and right after it (the
// higher of the two), and medians are taken of these shares. stdout ends with one line per figure for scripts:
//   speed SHAPE FORMAT prefill512|decode TOKENS_PER_SECOND
//   limit SHAPE FORMAT prefill512|decode SHARE          of the arithmetic peak, of the read bandwidth
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/machine.hpp"
#include "bench/program.hpp"
#include "bench/random_model.hpp"
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
    "  --threads K         (default: all of the machine)\n"
    "  --convert FORMAT    convert the weights at load: F32, F16, BF16, Q8_0, Q4_0\n"
    "  --repeat R          runs of each (default 5)\n"
    "  --kernel-target T   avx2, avx3_dl, ... (default: the best that the CPU has)\n";

constexpr std::array<std::string_view, 8> kOptions{"-m",        "--prefill", "--decode", "--context",
                                                   "--threads", "--convert", "--repeat", "--kernel-target"};

struct Options {
  std::string file;
  std::size_t prefill;
  std::size_t decode;
  std::size_t context;
  std::size_t threads;
  std::size_t repeat;
  std::optional<Format> convert;
  KernelTable const* kernels;
};

Options read_options(Arguments const& arguments) {
  auto const file = arguments.text("-m");
  if (!file || !arguments.positional().empty()) fail(Errc::kInvalidArgument, "expected -m FILE and options");
  constexpr std::size_t kMany = std::size_t{1} << 20;
  std::size_t const all = std::max(1U, std::thread::hardware_concurrency());
  auto const convert = arguments.text("--convert");
  auto const target = arguments.text("--kernel-target");
  return {.file = std::string(*file),
          .prefill = arguments.number<std::size_t>("--prefill", 512, 1, kMany),
          .decode = arguments.number<std::size_t>("--decode", 64, 1, kMany),
          .context = arguments.number<std::size_t>("--context", 0, 0, kMany),
          .threads = arguments.number<std::size_t>("--threads", all, 1, 1024),
          .repeat = arguments.number<std::size_t>("--repeat", 5, 1, kMany),
          .convert = convert ? std::optional(format_named(*convert)) : std::nullopt,
          .kernels = target ? &kernels_named(*target) : &best_kernels()};
}

/// What the products of one token cost, counted from the file's tensors. The head is apart: a prompt needs it once.
struct Costs {
  double integer_ops = 0;  // two per weight, of the layers
  double float_ops = 0;
  double head_ops = 0;
  bool head_is_integer = false;
  std::string_view format;  // that most weights have
};

Costs count_costs(Checkpoint const& checkpoint, std::optional<Format> convert) {
  Costs costs;
  std::array<double, kFormats.size()> weights{};
  TensorInfo const* const output = checkpoint.find("output.weight");
  for (TensorInfo const& tensor : checkpoint.tensors()) {
    if (tensor.dims.size() != 2) continue;
    auto const cols = static_cast<std::size_t>(tensor.dims[0]);
    double const n = static_cast<double>(tensor.dims[0]) * static_cast<double>(tensor.dims[1]);
    FormatTraits const& format = traits(convert ? quant::choose(*convert, tensor.format, cols) : tensor.format);
    for (std::size_t i = 0; i < kFormats.size(); ++i) weights[i] += kFormats[i].format == format.format ? n : 0;
    if (&tensor == output || (output == nullptr && tensor.name == "token_embd.weight")) {
      costs.head_ops = 2 * n;
      costs.head_is_integer = format.quantized;
    } else if (tensor.name != "token_embd.weight") {
      (format.quantized ? costs.integer_ops : costs.float_ops) += 2 * n;
    }
  }
  auto const most = static_cast<std::size_t>(std::ranges::max_element(weights) - weights.begin());
  costs.format = kFormats[most].name;
  return costs;
}

/// The name of the shape that the model has, or of its file.
std::string shape_of(ModelConfig const& config, std::string const& file) {
  for (ModelShape const& shape : kModelShapes) {
    if (shape.dim == config.dim && shape.n_layers == config.n_layers && shape.n_heads == config.n_heads &&
        shape.n_kv_heads == config.n_kv_heads && shape.ffn_dim == config.ffn_dim && shape.n_vocab == config.n_vocab) {
      return std::string(shape.name);
    }
  }
  return std::filesystem::path(file).stem().string();
}

/// The machine's limits at one moment.
struct Moment {
  ReadBandwidth read;
  double integer_peak = 0;
  double float_peak = 0;
};

Moment measure_limits(ReadMeter const& meter, Options const& options) {
  Target const target = options.kernels->target;
  return {meter.measure(2), measure_integer_peak(target, options.threads), measure_float_peak(target, options.threads)};
}

Moment higher(Moment const& a, Moment const& b) {
  return {a.read.bytes_per_second > b.read.bytes_per_second ? a.read : b.read, std::max(a.integer_peak, b.integer_peak),
          std::max(a.float_peak, b.float_peak)};
}

/// Repeated measurements of one figure.
class Samples {
 public:
  void add(double value) { values_.insert(std::ranges::upper_bound(values_, value), value); }
  [[nodiscard]] double median() const {
    std::size_t const n = values_.size();
    return (values_[(n - 1) / 2] + values_[n / 2]) / 2;
  }
  [[nodiscard]] double min() const { return values_.front(); }
  [[nodiscard]] double max() const { return values_.back(); }

 private:
  std::vector<double> values_;  // ascending
};

struct Results {
  Samples read;          // GB/s
  Samples integer_peak;  // Gop/s
  Samples float_peak;    // Gop/s
  Samples prefill;       // tokens/s
  Samples prefill_share;
  Samples decode;  // tokens/s
  Samples decode_share;
  std::string_view pattern;  // of reading, that won
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
        session_(model, {.capacity = std::max(options.prefill, options.context + options.decode)}) {
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

  [[nodiscard]] Results run() {
    ReadMeter const meter(options_.threads);
    Results results;
    session_.prefill(std::span(tokens_).first(1));  // touches the weights and the workspace
    Moment before = measure_limits(meter, options_);
    for (std::size_t i = 0; i < options_.repeat; ++i) {
      std::fprintf(stderr, "\rrun %zu of %zu: prefill ", i + 1, options_.repeat);
      double const prefill = time_prefill();
      std::fprintf(stderr, "\rrun %zu of %zu: decode  ", i + 1, options_.repeat);
      double const decode = time_decode();
      std::fprintf(stderr, "\rrun %zu of %zu: limits  ", i + 1, options_.repeat);
      Moment const after = measure_limits(meter, options_);
      add(results, prefill, decode, higher(before, after));
      before = after;
    }
    std::fprintf(stderr, "\r%40s\r", "");
    return results;
  }

 private:
  double time_prefill() {
    session_.truncate(0);
    return seconds([&] { session_.prefill(std::span(tokens_).first(options_.prefill)); });
  }

  double time_decode() {
    session_.truncate(std::min(options_.prefill, options_.context));
    if (options_.context > session_.length()) {
      session_.prefill(std::span(tokens_).subspan(session_.length(), options_.context - session_.length()));
    }
    return seconds([&] {
      for (std::size_t i = 0; i < options_.decode; ++i) session_.step(tokens_[i]);
    });
  }

  void add(Results& results, double prefill_seconds, double decode_seconds, Moment const& limits) const {
    auto const n_prefill = static_cast<double>(options_.prefill);
    auto const n_decode = static_cast<double>(options_.decode);
    double const integer_ops = costs_.integer_ops * n_prefill + (costs_.head_is_integer ? costs_.head_ops : 0);
    double const float_ops = costs_.float_ops * n_prefill + (costs_.head_is_integer ? 0 : costs_.head_ops);
    double at_peak = 0;  // seconds
    if (limits.integer_peak > 0) at_peak += integer_ops / limits.integer_peak;
    if (limits.float_peak > 0) at_peak += float_ops / limits.float_peak;
    results.read.add(limits.read.bytes_per_second / 1e9);
    results.pattern = limits.read.pattern;
    results.integer_peak.add(limits.integer_peak / 1e9);
    results.float_peak.add(limits.float_peak / 1e9);
    results.prefill.add(n_prefill / prefill_seconds);
    results.prefill_share.add(at_peak / prefill_seconds);
    results.decode.add(n_decode / decode_seconds);
    results.decode_share.add(bytes_per_token() * n_decode / decode_seconds / limits.read.bytes_per_second);
  }

  Costs costs_;
  Options options_;
  double weight_bytes_;
  double kv_bytes_;  // of one cached token
  Session<M> session_;
  std::vector<Token> tokens_;
};

void print_samples(char const* name, Samples const& samples, char const* unit, double scale = 1) {
  std::printf("%-14s %8.1f %s (%.1f to %.1f)\n", name, samples.median() * scale, unit, samples.min() * scale,
              samples.max() * scale);
}

void print(Results const& results, Costs const& costs, Options const& options, std::string const& shape,
           double bytes_per_token) {
  print_samples("read limit", results.read, "GB/s");
  std::printf("%-14s %s\n", "  best by", std::string(results.pattern).c_str());
  print_samples("integer peak", results.integer_peak, "Gop/s");
  print_samples("float peak", results.float_peak, "Gop/s");
  std::printf("%-14s %8.3f GB read per decoded token, %.3f Gop per prompt token\n", "costs", bytes_per_token / 1e9,
              (costs.integer_ops + costs.float_ops) / 1e9);
  print_samples("prefill", results.prefill, "tokens/s");
  print_samples("  share", results.prefill_share, "% of the arithmetic peak", 100);
  print_samples("decode", results.decode, "tokens/s");
  print_samples("  share", results.decode_share, "% of the read limit", 100);
  std::string const key = shape + " " + std::string(costs.format);
  std::printf("speed %s prefill%zu %.2f\n", key.c_str(), options.prefill, results.prefill.median());
  std::printf("speed %s decode %.2f\n", key.c_str(), results.decode.median());
  std::printf("limit %s prefill%zu %.3f\n", key.c_str(), options.prefill, results.prefill_share.median());
  std::printf("limit %s decode %.3f\n", key.c_str(), results.decode_share.median());
}

void run(Arguments const& arguments) {
  Options const options = read_options(arguments);
  Checkpoint const checkpoint = Checkpoint::open(options.file);
  Costs const costs = count_costs(checkpoint, options.convert);
  LoadOptions load{.threads = options.threads, .kernels = options.kernels, .convert = options.convert};
  load.progress = [](std::size_t done, std::size_t total) {
    std::fprintf(stderr, "\rload %3zu %%", done * 100 / total);
  };
  auto const begin = std::chrono::steady_clock::now();
  AnyModel const model = AnyModel::load(checkpoint, load);
  std::chrono::duration<double> const load_time = std::chrono::steady_clock::now() - begin;
  std::fprintf(stderr, "\r%40s\r", "");

  std::printf("%s, %s, %zu threads, kernels %s\n", options.file.c_str(), machine_name().c_str(), options.threads,
              std::string(options.kernels->name).c_str());
  std::printf("%-14s %8.2f s\n", "load", load_time.count());
  model.visit([&](auto const& concrete) {
    Bench bench(concrete, costs, options);
    print(bench.run(), costs, options, shape_of(concrete.config(), options.file), bench.bytes_per_token());
  });
}

}  // namespace
}  // namespace lamina::bench

int main(int argc, char** argv) {
  return lamina::bench::run_program(std::span(argv, static_cast<std::size_t>(argc)), lamina::bench::kUsage,
                                    lamina::bench::kOptions, lamina::bench::run);
}
