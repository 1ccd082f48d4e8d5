// A model: an architecture's decoder with its weights, loaded from a checkpoint. Immutable, shareable, cheap to copy.
//
//   auto const model = Model<Llama>::load(Checkpoint::open("model.gguf"), {.threads = 4});
//   ContiguousCache<KvElement::kF16> cache(model.kv_shape(), {.capacity = 4096, .max_sequences = 8});
//   auto workspace = model.make_workspace({.max_rows = 512, .max_logits = 8, .max_context = 8 * 4096});
//   Logits const logits = model.forward(batch, cache, workspace);
//
// Most programs use a Session (session.hpp), which does the last three lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>

#include "lamina/cache/kv_cache.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/model/architecture.hpp"
#include "lamina/model/batch.hpp"
#include "lamina/model/config.hpp"
#include "lamina/model/cpu_backend.hpp"
#include "lamina/model/decoder.hpp"
#include "lamina/model/weights.hpp"
#include "lamina/model/workspace.hpp"
#include "lamina/quant/quantizer.hpp"

namespace lamina::inline v0_1 {

struct LoadOptions {
  std::size_t threads = 1;               // of the model's own pool, the caller's included
  KernelTable const* kernels = nullptr;  // best_kernels(numerics) where null; kernels_named("avx2")
  Numerics numerics = Numerics::Exact;   // Fast: BF16 and F16 weights by vdpbf16ps where the CPU has it
  std::optional<Format> convert = {};    // for quant::AsStored and AnyModel: convert matrices at load; not packed ones
  LoadProgress progress = {};            // see LoadProgress; may be empty
};

template <Architecture Arch, Quantizer Quant = quant::AsStored, Backend B = Cpu<ThreadPool>>
class Model {
 public:
  using Workspace = typename B::Workspace;

  /// Loads with a pool of options.threads. Throws Error that names file and key or tensor: see read_config and
  /// load_weights; kInvalidArgument for absurd options, and for `convert` where the type says what to convert to.
  static Model load(Checkpoint const& checkpoint, LoadOptions const& options = {})
    requires std::same_as<B, Cpu<ThreadPool>>
  {
    return load(checkpoint, options,
                B(std::make_shared<ThreadPool>(options.threads),
                  options.kernels ? *options.kernels : best_kernels(options.numerics)));
  }

  /// Loads into a backend that the host made, on its own executor for instance: Cpu(host_executor). The options'
  /// threads, kernels and numerics are the backend's business: Cpu(executor, best_kernels(Numerics::Fast)).
  static Model load(Checkpoint const& checkpoint, LoadOptions const& options, B backend) {
    ModelConfig config = read_config(checkpoint, Arch::name, Arch::tensors);
    auto const choose = [&](Format stored, std::size_t rows, std::size_t cols) {
      return options.convert ? quant::choose(*options.convert, stored, cols) : Quant::choose(stored, rows, cols);
    };
    if (options.convert && !std::same_as<Quant, quant::AsStored>) {
      fail(Errc::kInvalidArgument, checkpoint.source(),
           ": LoadOptions::convert contradicts the model's Quantizer; use one of them");
    }
    auto weights = load_weights<Arch>(checkpoint, config, backend, choose, options.progress);
    return Model(std::make_shared<Decoder<Arch, B> const>(std::move(config), std::move(weights), std::move(backend)));
  }

  [[nodiscard]] ModelConfig const& config() const noexcept { return decoder_->config(); }
  [[nodiscard]] KvShape kv_shape() const noexcept { return config().kv_shape(); }
  [[nodiscard]] B const& backend() const noexcept { return decoder_->backend(); }
  /// Bytes of packed weights that a decode step reads: all but the embedding, which counts where it is the output.
  [[nodiscard]] std::size_t bytes_per_token() const noexcept {
    auto const& w = decoder_->weights();
    std::size_t n = w.output().view().bytes();
    for (auto const& layer : w.layers) {
      for (auto const* m : {&layer.q, &layer.k, &layer.v, &layer.attn_output, &layer.gate, &layer.up, &layer.down}) {
        n += m->view().bytes();
      }
    }
    return n;
  }

  [[nodiscard]] Workspace make_workspace(WorkspaceOptions const& options = {}) const {
    return Workspace(config(), options);
  }

  /// Computes the batch's tokens, appends their K and V to the cache, and returns the logits asked for, row after row
  /// in the order of the batch, [rows asked for, n_vocab], in the workspace. The bits of a row depend on its sequence's
  /// tokens alone. Allocates nothing. May run on several threads at a time, with a workspace each; see the cache about
  /// its own.
  /// Throws Error, and leaves the cache's sequences as they were: kInvalidArgument for an empty batch or item, a
  /// sequence that is in it twice or not alive, and a workspace that is too small; kTokenOutOfRange; kContextFull;
  /// kShape for another model's cache; kCancelled once `stop` is triggered, within the time of one operation of a
  /// layer; kNotFinite for NaN or infinity among the logits asked for.
  template <KvCache C>
  Logits forward(Batch batch, C& cache, Workspace& workspace, std::stop_token const& stop = {}) const {
    return decoder_->forward(batch, cache, workspace, stop);
  }

 private:
  explicit Model(std::shared_ptr<Decoder<Arch, B> const> decoder) : decoder_(std::move(decoder)) {}

  std::shared_ptr<Decoder<Arch, B> const> decoder_;
};

}  // namespace lamina::inline v0_1
