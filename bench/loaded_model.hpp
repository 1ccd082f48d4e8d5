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

/// What the products of one token cost, counted from the file's tensors. The head is apart: a prompt needs it once.
struct Costs {
  double integer_ops = 0;  // two per weight, of the layers
  double float_ops = 0;
  double head_ops = 0;
  bool head_is_integer = false;
  std::string_view format;  // that most weights have
};

inline Costs count_costs(Checkpoint const& checkpoint, std::optional<Format> convert) {
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
