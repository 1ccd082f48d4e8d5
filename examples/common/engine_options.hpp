// What all example programs have in common: options that say which model to run and how, and the engine they open.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "command_line.hpp"
#include "lamina/core/error.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/model/any_model.hpp"
#include "lamina/model/session.hpp"
#include "lamina/quant/formats.hpp"
#include "lamina/sampler/sampler.hpp"
#include "lamina/text/tokenizer.hpp"
#include "lamina/text/vocabulary.hpp"

namespace examples {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// f(), whose Error is about an option's value.
template <class F>
std::invoke_result_t<F> or_usage_error(F f) {
  try {
    return f();
  } catch (lamina::Error const& e) {
    throw UsageError(e.what());
  }
}

/// An option whose value is the name of a weight format.
inline void add_format_to(CommandLine& line, std::string names, std::string help,
                          std::optional<lamina::Format>& target) {
  line.add(std::move(names), "FORMAT", std::move(help), [&target](std::string const& value) {
    target = or_usage_error([&] { return lamina::format_named(value); });
  });
}

/// The same in every program, but for the files. Those that run no model take them too, so that a script can give all
/// of them the same options: one that has nothing to do there is ignored.
struct EngineOptions {
  std::filesystem::path model;
  std::filesystem::path tokenizer;
  std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
  lamina::KernelTable const* kernels = nullptr;
  std::optional<lamina::Format> convert;
  lamina::SessionOptions session;

  void add_to(CommandLine& line, char const* context_help = "tokens of context (default: the model's, up to 4096)") {
    line.add_text("-m, --model", "FILE", "GGUF or llama2.c file (required)", model);
    line.add_text("--tokenizer", "FILE", "tokenizer of a llama2.c model", tokenizer);
    add_all_but_files_to(line, context_help);
  }
  /// For programs whose file is an argument.
  void add_all_but_files_to(CommandLine& line, char const* context_help, char const* convert_names = "--convert") {
    line.add_number("--threads", "K", "threads, the caller's included (default: one per CPU)", threads, 1, 1024);
    line.add(
        "--kernel-target", "NAME", "instruction set: reference, sse4, avx2, ... (default: the best)",
        [this](std::string const& name) { kernels = or_usage_error([&] { return &lamina::kernels_named(name); }); });
    add_format_to(line, convert_names, "convert the weights: F32, F16, BF16, Q8_0, Q6_K, Q4_K, Q4_0", convert);
    line.add_number("--prefill-chunk", "N", "prompt tokens per pass (default: 512)", session.prefill_chunk, 1, 65536);
    line.add_number("--context", "N", context_help, session.capacity, 1, std::size_t{1} << 24);
  }
};

/// Tells on stderr how far something is, if that is a terminal and it takes more than a second.
class Progress {
 public:
  explicit Progress(char const* what) : what_(what) {}
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }
  Progress(Progress const&) = delete;
  Progress& operator=(Progress const&) = delete;

  void operator()(std::size_t done, std::size_t total) {
    if (!terminal_ || seconds_since(start_) < 1.0 || total == 0) return;
    auto const percent = static_cast<unsigned>(100.0 * static_cast<double>(done) / static_cast<double>(total));
    if (std::exchange(shown_, percent) != percent) std::fprintf(stderr, "\r%s %u %%", what_, percent);
  }

 private:
  char const* what_;
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  unsigned shown_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

inline lamina::Checkpoint open_checkpoint(EngineOptions const& options) {
  if (options.model.empty()) throw UsageError("no model: give one with -m FILE");
  return lamina::Checkpoint::open(options.model);
}

/// The tokenizer in the file, or that of --tokenizer, which llama2.c files need.
inline lamina::Tokenizer open_tokenizer(lamina::Checkpoint const& checkpoint, EngineOptions const& options) {
  if (!options.tokenizer.empty()) {
    auto const& embedding = checkpoint.tensor("token_embd.weight");
    auto const n_vocab = static_cast<std::size_t>(embedding.dims.back());
    return lamina::Tokenizer(lamina::read_llama2c_vocabulary(options.tokenizer, n_vocab));
  }
  if (!checkpoint.metadata().contains("tokenizer.ggml.model")) {
    throw UsageError(checkpoint.source() + " has no tokenizer: give one with --tokenizer FILE");
  }
  return lamina::Tokenizer(lamina::read_vocabulary(checkpoint.metadata()));
}

inline lamina::AnyModel load_model(lamina::Checkpoint const& checkpoint, EngineOptions const& options) {
  Progress progress("loading");
  return lamina::AnyModel::load(checkpoint,
                                {.threads = options.threads,
                                 .kernels = options.kernels,
                                 .convert = options.convert,
                                 .progress = [&](std::size_t done, std::size_t total) { progress(done, total); }});
}

/// "1 2 3" or "1,2,3" as token ids. Throws UsageError.
inline std::vector<lamina::Token> parse_ids(std::string const& text) {
  std::vector<lamina::Token> ids;
  constexpr char const* kSeparators = " \t\r\n,";
  for (std::size_t at = text.find_first_not_of(kSeparators); at != std::string::npos;) {
    std::size_t const end = std::min(text.find_first_of(kSeparators, at), text.size());
    ids.push_back(parse_number<lamina::Token>(text.substr(at, end - at), 0, std::numeric_limits<lamina::Token>::max(),
                                              "token id"));
    at = text.find_first_not_of(kSeparators, end);
  }
  return ids;
}

/// How programs that generate choose tokens. Options that are not given switch their stage off.
struct SamplingOptions {
  float temperature = 0.8F;
  std::size_t top_k = std::numeric_limits<std::size_t>::max();
  float top_p = 0.95F;
  float min_p = 0.0F;
  lamina::PenaltyOptions penalties;
  std::uint64_t seed = 1;

  void add_to(CommandLine& line) {
    line.add_number("--temp", "T", "temperature, 0 = greedy (default: 0.8)", temperature, 0.0F, 1000.0F);
    line.add_number("--top-k", "K", "the K likeliest tokens only (default: all)", top_k, 1,
                    std::numeric_limits<std::int32_t>::max());
    line.add_number("--top-p", "P", "the likeliest tokens that sum to P (default: 0.95)", top_p,
                    std::numeric_limits<float>::min(), 1.0F);
    line.add_number("--min-p", "P", "tokens of P times the best one's probability (default: 0)", min_p, 0.0F, 1.0F);
    line.add_number("--repeat-penalty", "R", "divides logits of the last 64 tokens (default: 1)", penalties.repetition,
                    1e-3F, 1e3F);
    line.add_number("--seed", "S", "equal seeds give equal texts (default: 1)", seed, 0,
                    std::numeric_limits<std::uint64_t>::max());
  }

  /// Temperature comes last: the cuts are made on the model's own distribution.
  [[nodiscard]] auto sampler() const {
    std::size_t const k = temperature == 0.0F ? 1 : top_k;  // greedy needs no more
    return lamina::penalties(penalties) | lamina::top_k(k) | lamina::top_p(top_p) | lamina::min_p(min_p) |
           lamina::temperature(temperature) | lamina::draw(seed);
  }
};

}  // namespace examples
