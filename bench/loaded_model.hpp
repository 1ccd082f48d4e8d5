// What the benchmarks of whole models share: their options, loading, and a model's costs and name.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "bench/program.hpp"
#include "bench/random_model.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/model/any_model.hpp"
#include "lamina/model/config.hpp"
#include "lamina/quant/quantizer.hpp"

namespace lamina::bench {

/// The options -m, --threads, --convert and --kernel-target, which every program has that runs a model.
struct ModelOptions {
  std::string file;
  std::size_t threads = 1;
  std::optional<Format> convert;
  KernelTable const* kernels = nullptr;
};

inline constexpr char kModelUsage[] =
    "  --threads K         (default: all of the machine)\n"
    "  --convert FORMAT    convert the weights at load: F32, F16, BF16, Q8_0, Q6_K, Q4_K, Q4_0\n"
    "  --kernel-target T   avx2, avx3_dl, ... (default: the best that the CPU has)\n";

inline ModelOptions read_model_options(Arguments const& arguments) {
  auto const file = arguments.text("-m");
  if (!file || !arguments.positional().empty()) fail(Errc::kInvalidArgument, "expected -m FILE and options");
  std::size_t const all = std::max(1U, std::thread::hardware_concurrency());
  auto const convert = arguments.text("--convert");
  auto const target = arguments.text("--kernel-target");
  return {.file = std::string(*file),
          .threads = arguments.number<std::size_t>("--threads", all, 1, 1024),
          .convert = convert ? std::optional(format_named(*convert)) : std::nullopt,
          .kernels = target ? &kernels_named(*target) : &best_kernels()};
}

/// run_program of a program that has these options; `usage` tells the program's own.
template <class Body>
int run_model_program(int argc, char** argv, std::string const& usage, std::span<std::string_view const> options,
                      Body body) {
  return run_program(std::span(argv, static_cast<std::size_t>(argc)), (usage + kModelUsage).c_str(), options, body);
}

/// Shows its progress on stderr.
inline AnyModel load_model(Checkpoint const& checkpoint, ModelOptions const& options) {
  LoadOptions load{.threads = options.threads, .kernels = options.kernels, .convert = options.convert};
  load.progress = [](std::size_t done, std::size_t total) {
    std::fprintf(stderr, "\rload %3zu %%", done * 100 / total);
  };
  AnyModel model = AnyModel::load(checkpoint, load);
  std::fprintf(stderr, "\r%40s\r", "");
  return model;
}

/// Operations of products: two per weight and row.
struct Operations {
  double integer = 0;
  double floats = 0;

  [[nodiscard]] double total() const { return integer + floats; }
  friend Operations operator*(double n, Operations const& a) { return {n * a.integer, n * a.floats}; }
  friend Operations operator+(Operations const& a, Operations const& b) {
    return {a.integer + b.integer, a.floats + b.floats};
  }
};

/// What the products of one token cost, counted from the file's tensors.
struct Costs {
  Operations any_row;       // of each token
  Operations logit_row;     // besides, of a token whose logits are asked for: the last layer from queries on, the head
  std::string_view format;  // that most weights have

  [[nodiscard]] Operations of_prompt(std::size_t n) const { return static_cast<double>(n) * any_row + logit_row; }
  [[nodiscard]] Operations of_step() const { return any_row + logit_row; }
};

inline Costs count_costs(Checkpoint const& checkpoint, std::optional<Format> convert, std::size_t n_layers) {
  Costs costs;
  std::string const last_layer = "blk." + std::to_string(n_layers - 1) + ".";
  std::array<double, kFormats.size()> weights{};
  TensorInfo const* const output = checkpoint.find("output.weight");
  for (TensorInfo const& tensor : checkpoint.tensors()) {
    if (tensor.dims.size() != 2) continue;
    auto const cols = static_cast<std::size_t>(tensor.dims[0]);
    double const n = static_cast<double>(tensor.dims[0]) * static_cast<double>(tensor.dims[1]);
    FormatTraits const& format = traits(convert ? quant::choose(*convert, tensor.format, cols) : tensor.format);
    for (std::size_t i = 0; i < kFormats.size(); ++i) weights[i] += kFormats[i].format == format.format ? n : 0;
    bool const is_table = tensor.name == "token_embd.weight";
    if (is_table && output != nullptr) continue;
    bool const in_last_layer = tensor.name.starts_with(last_layer) && !tensor.name.ends_with("attn_k.weight") &&
                               !tensor.name.ends_with("attn_v.weight");
    Operations& sum = &tensor == output || is_table || in_last_layer ? costs.logit_row : costs.any_row;
    (format.quantized ? sum.integer : sum.floats) += 2 * n;
  }
  auto const most = static_cast<std::size_t>(std::ranges::max_element(weights) - weights.begin());
  costs.format = kFormats[most].name;
  return costs;
}

/// The name of the shape that the model has, or of its file.
inline std::string shape_of(ModelConfig const& config, std::string const& file) {
  for (ModelShape const& shape : kModelShapes) {
    if (shape.dim == config.dim && shape.n_layers == config.n_layers && shape.n_heads == config.n_heads &&
        shape.n_kv_heads == config.n_kv_heads && shape.ffn_dim == config.ffn_dim && shape.n_vocab == config.n_vocab) {
      return std::string(shape.name);
    }
  }
  return std::filesystem::path(file).stem().string();
}

}  // namespace lamina::bench
