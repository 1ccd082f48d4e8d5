// The decoder: one forward pass over a batch, written once for all architectures, backends and caches.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "lamina/cache/kv_cache.hpp"
#include "lamina/core/error.hpp"
#include "lamina/model/architecture.hpp"
#include "lamina/model/backend.hpp"
#include "lamina/model/batch.hpp"
#include "lamina/model/config.hpp"
#include "lamina/model/rope_scaling.hpp"
#include "lamina/model/weights.hpp"
#include "lamina/model/workspace.hpp"

namespace lamina::inline v0_1 {

/// Weights and backend of one model. Immutable once made; forward() may run on several threads, each with its own
/// workspace.
template <Architecture Arch, Backend B>
class Decoder {
 public:
  using Weights = DecoderWeights<typename B::Storage, typename B::Matrix, typename B::Vector>;
  using Workspace = typename B::Workspace;

  Decoder(ModelConfig config, Weights weights, B backend)
      : config_(std::move(config)), weights_(std::move(weights)), backend_(std::move(backend)) {
    inv_freq_ = rope_frequencies(backend_.kernels(), config_.rope_base, config_.rope_dim, config_.rope_scaling,
                                 weights_.rope_divisors);
    attention_ = {
        .n_heads = config_.n_heads,
        .n_kv_heads = config_.n_kv_heads,
        .head_dim = config_.head_dim,
        // In double: no compiler setting replaces that square root and division by estimates.
        .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim))),
        .rope_layout = Arch::rope == Rope::Interleaved ? RopeLayout::kInterleaved : RopeLayout::kHalves,
    };
  }

  [[nodiscard]] ModelConfig const& config() const noexcept { return config_; }
  [[nodiscard]] Weights const& weights() const noexcept { return weights_; }
  [[nodiscard]] B const& backend() const noexcept { return backend_; }

  /// See Model::forward. Rows whose logits nobody asks for end with the last layer's keys and values, since nothing
  /// that comes after is read: 6 % of the work with the 16 layers of Llama 3.2 1B.
  template <KvCache C>
  Logits forward(Batch batch, C& cache, Workspace& workspace, std::stop_token const& stop) const {
    Step step = plan(batch, cache, workspace);
    AttentionSpec attention = attention_;
    attention.element = cache.element();
    float const eps = config_.norm_eps;
    backend_.rotations(inv_freq_, step);
    backend_.embed(weights_.embedding, step);
    for (std::size_t i = 0; i < config_.n_layers; ++i) {
      auto const& layer = weights_.layers[i];
      static_assert(Arch::norm == Norm::Rms);
      auto const project_and_attend = [&](Qkv part) {
        check(stop);
        backend_.template project_qkv<Arch::qkv_bias>(layer, part, eps, step);
        check(stop);
        backend_.attend(layer, attention, part, step);
      };
      gather_blocks(cache, i, step);
      if (i + 1 == config_.n_layers && step.logit_rows.size() < step.rows()) {
        project_and_attend(Qkv::kKeysValues);
        backend_.gather_logit_rows(step);
        step.narrow();
        if (step.rows() == 0) break;
        project_and_attend(Qkv::kQueries);
      } else {
        project_and_attend(Qkv::kAll);
      }
      check(stop);
      backend_.project_add(layer, step);
      if constexpr (Arch::ffn == Ffn::SwiGlu) {
        check(stop);
        backend_.gate_up(layer, eps, step);
        check(stop);
        backend_.down_add(layer, step);
      }
    }
    check(stop);
    std::size_t const first_bad = backend_.logits(weights_.output_norm, weights_.output(), eps, step);
    if (first_bad != step.logit_rows.size()) {
      refuse(Errc::kNotFinite, "NaN or infinity in row ", first_bad, " of the logits");
    }
    for (BatchItem const& item : batch) cache.commit(item.sequence, item.tokens.size());
    return step.logits;
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(Errc code, Parts const&... parts) const {
    fail(code, config_.source, ": forward: ", parts...);
  }

  void check(std::stop_token const& stop) const {
    if (stop.stop_requested()) refuse(Errc::kCancelled, "cancelled by the caller's stop_token");
  }

  /// Checks the whole batch, then lays out its rows and reserves room in the cache.
  template <KvCache C>
  Step plan(Batch batch, C& cache, Workspace& workspace) const {
    if (cache.shape() != config_.kv_shape()) {
      KvShape const& s = cache.shape();
      refuse(Errc::kShape, "the cache is for ", s.n_layers, " layers, ", s.n_kv_heads, " KV heads of ", s.head_dim,
             "; the model has ", config_.n_layers, ", ", config_.n_kv_heads, " and ", config_.head_dim);
    }
    if (batch.empty()) refuse(Errc::kInvalidArgument, "the batch is empty");
    std::size_t n_rows = 0;
    std::size_t n_logits = 0;
    std::size_t n_blocks = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      BatchItem const& item = batch[i];
      if (item.tokens.empty()) refuse(Errc::kInvalidArgument, "batch item ", i, " has no tokens");
      for (std::size_t j = 0; j < i; ++j) {
        if (batch[j].sequence == item.sequence) {
          refuse(Errc::kInvalidArgument, "batch items ", j, " and ", i, " are of the same sequence");
        }
      }
      check_tokens(item.tokens, i);
      std::size_t const length = cache.length(item.sequence);
      if (item.tokens.size() > cache.capacity() - length) {
        refuse(Errc::kContextFull, "batch item ", i, ": ", length, " tokens in the cache and ", item.tokens.size(),
               " new ones exceed its capacity of ", cache.capacity());
      }
      n_rows += item.tokens.size();
      n_logits += logits_of(item);
      n_blocks += div_ceil(length + item.tokens.size(), kKvBlock) * config_.n_kv_heads;
    }
    auto const& limits = workspace.options();
    if (n_rows > limits.max_rows || n_logits > limits.max_logits || n_blocks > workspace.max_blocks()) {
      refuse(Errc::kInvalidArgument, "the workspace is too small: it holds ", limits.max_rows, " rows, ",
             limits.max_logits, " rows of logits and a context of ", limits.max_context, "; the batch has ", n_rows,
             " rows, ", n_logits, " rows of logits and ", n_blocks / config_.n_kv_heads, " blocks of ", kKvBlock,
             " tokens");
    }
    return lay_out(batch, cache, workspace.begin(batch.size(), n_rows, n_logits));
  }

  void check_tokens(std::span<Token const> tokens, std::size_t item) const {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] < 0 || static_cast<std::size_t>(tokens[i]) >= config_.n_vocab) {
        refuse(Errc::kTokenOutOfRange, "batch item ", item, ", token ", i, " is ", tokens[i], ", the vocabulary has ",
               config_.n_vocab);
      }
    }
  }

  static std::size_t logits_of(BatchItem const& item) noexcept {
    switch (item.logits) {
      case LogitsFor::kNone: return 0;
      case LogitsFor::kLast: return 1;
      case LogitsFor::kAll: break;
    }
    return item.tokens.size();
  }

  template <KvCache C>
  Step lay_out(Batch batch, C& cache, Step step) const {
    std::size_t row = 0;
    std::size_t n_logits = 0;
    std::size_t block = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      BatchItem const& item = batch[i];
      std::size_t const n = item.tokens.size();
      cache.reserve(item.sequence, n);
      StepItem& planned = step.items[i];
      planned = {.sequence = item.sequence, .first_row = row, .n_rows = n, .position = cache.length(item.sequence)};
      planned.first_block = block;
      planned.blocks_per_head = div_ceil(planned.position + n, kKvBlock);
      for (std::size_t j = 0; j < n; ++j) step.tokens[row + j] = item.tokens[j];
      for (std::size_t j = n - logits_of(item); j < n; ++j) {
        step.logit_rows[n_logits++] = static_cast<std::uint32_t>(row + j);
      }
      row += n;
      block += planned.blocks_per_head * config_.n_kv_heads;
    }
    return step;
  }

  template <KvCache C>
  void gather_blocks(C& cache, std::size_t layer, Step& step) const {
    for (StepItem const& item : step.items) {
      for (std::size_t head = 0; head < config_.n_kv_heads; ++head) {
        cache.blocks(item.sequence, layer, head, item.position + item.n_rows,
                     step.blocks.subspan(item.first_block + head * item.blocks_per_head, item.blocks_per_head));
      }
    }
  }

  ModelConfig config_;
  Weights weights_;
  B backend_;
  std::vector<double> inv_freq_;  // [rope_dim / 2]
  AttentionSpec attention_;
};

}  // namespace lamina::inline v0_1
