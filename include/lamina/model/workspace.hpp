// The memory of a forward pass on a CPU: sized once for the largest step that will come, refilled by each.
//
// A workspace belongs to one thread at a time; threads that share a model have one each (a Session owns its own).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>

#include "lamina/cache/kv_cache.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/core/views.hpp"
#include "lamina/kernels/kernel_table.hpp"
#include "lamina/model/batch.hpp"
#include "lamina/model/config.hpp"

namespace lamina::inline v0_1 {

/// The largest step that a workspace is made for.
struct WorkspaceOptions {
  std::size_t max_rows = 512;      // new tokens of one batch, over all sequences
  std::size_t max_logits = 1;      // rows of logits asked for in one batch
  std::size_t max_context = 4096;  // tokens that the sequences of one batch hold, new ones included, over all sequences
};

/// One sequence's part of a step.
struct StepItem {
  SequenceId sequence{};
  std::size_t first_row = 0;
  std::size_t n_rows = 0;
  std::size_t position = 0;     // of its first row
  std::size_t first_block = 0;  // in Step::blocks, of KV head 0
  std::size_t blocks_per_head = 0;
};

/// The rows of one forward pass: new tokens and what the layers make of them. n = rows of this step.
struct Step {
  std::span<StepItem> items;
  std::span<Token> tokens;              // [n]
  std::span<std::uint32_t> logit_rows;  // [rows of logits], the rows of x that they are of
  MatrixView<float> cos, sin;           // [n, rope_dim / 2], RoPE's rotations at the rows' positions
  MatrixView<float> x;                  // [n, dim], the residual stream
  MatrixView<float> h;                  // [n, dim], x normalized, where a product reads floats
  QuantizedRows h_q8;                   // the same in int8
  MatrixView<float> q, k, v;            // [n, q_dim], [n, kv_dim], [n, kv_dim]
  MatrixView<float> attn;               // [n, q_dim], what attention gives
  QuantizedRows attn_q8;
  // [n, ffn_dim]: silu(gate) * up, where down is not quantized; else, as up always, the memory of its tasks.
  MatrixView<float> gate, up;
  QuantizedRows gate_q8;
  MatrixView<float> logits;      // [rows of logits, n_vocab]
  std::span<KvBlockRef> blocks;  // of the current layer: per item, per KV head

  [[nodiscard]] std::size_t rows() const noexcept { return tokens.size(); }
  void resize(std::size_t n_rows) noexcept {
    tokens = tokens.first(n_rows);
    for (auto* m : {&cos, &sin, &x, &h, &q, &k, &v, &attn, &gate, &up}) m->rows = n_rows;
    for (auto* m : {&h_q8, &attn_q8, &gate_q8}) *m = m->resized(n_rows);
  }
  /// Leaves the rows that logits are asked for, the last ones of each item, which lie at the front by now: see
  /// Backend's gather_logit_rows. Blocks stay as they are.
  void narrow() noexcept {
    std::size_t n_rows = 0;
    std::size_t n_items = 0;
    for (StepItem item : items) {
      std::size_t const first = n_rows;
      std::size_t const end = item.first_row + item.n_rows;
      for (; n_rows < logit_rows.size() && logit_rows[n_rows] < end; ++n_rows) {
        tokens[n_rows] = tokens[logit_rows[n_rows]];
        logit_rows[n_rows] = static_cast<std::uint32_t>(n_rows);
      }
      if (n_rows == first) continue;
      item.position += item.n_rows - (n_rows - first);
      item.first_row = first;
      item.n_rows = n_rows - first;
      items[n_items++] = item;
    }
    items = items.first(n_items);
    resize(n_rows);
  }
  /// The blocks of one item and KV head.
  [[nodiscard]] std::span<KvBlockRef const> blocks_of(StepItem const& item, std::size_t kv_head) const noexcept {
    return blocks.subspan(item.first_block + kv_head * item.blocks_per_head, item.blocks_per_head);
  }
};

class Workspace {
 public:
  using Options = WorkspaceOptions;

  /// Throws Error{kInvalidArgument} for zero rows or context and for sizes that memory does not hold.
  explicit Workspace(ModelConfig const& config, WorkspaceOptions const& options = {})
      : config_(config), options_(options) {
    if (options.max_rows == 0 || options.max_context == 0 || options.max_rows > kMaxRows ||
        options.max_logits > options.max_rows || options.max_context > kMaxContext) {
      fail(Errc::kInvalidArgument, "Workspace: max_rows ", options.max_rows, ", max_logits ", options.max_logits,
           ", max_context ", options.max_context, "; expected 1 to ", kMaxRows,
           " rows, no more logits than rows, and 1 to ", kMaxContext, " tokens of context");
    }
    Sizes sizes;
    lay_out(sizes);
    try {
      if (!sizes.bytes) throw std::bad_alloc();
      arena_ = Arena(*sizes.bytes);
    } catch (std::bad_alloc const&) {
      fail(Errc::kInvalidArgument, "Workspace: no memory for ", options.max_rows, " rows, ", options.max_logits,
           " rows of logits and a context of ", options.max_context);
    }
    Carver carver{arena_};
    lay_out(carver);
  }

  [[nodiscard]] WorkspaceOptions const& options() const noexcept { return options_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return arena_.capacity(); }
  /// Places for block references in one step.
  [[nodiscard]] std::size_t max_blocks() const noexcept { return all_.blocks.size(); }

  /// The views for a step of n_rows rows in n_items sequences with n_logits rows of logits.
  /// Precondition: within options().
  [[nodiscard]] Step begin(std::size_t n_items, std::size_t n_rows, std::size_t n_logits) noexcept {
    Step s = all_;
    s.items = all_.items.first(n_items);
    s.logit_rows = all_.logit_rows.first(n_logits);
    s.logits = all_.logits.slice(0, n_logits);
    s.resize(n_rows);
    return s;
  }

 private:
  static constexpr std::size_t kMaxRows = std::size_t{1} << 20;
  static constexpr std::size_t kMaxContext = std::size_t{1} << 32;

  // Two readers of one layout: the first adds up the bytes, the second hands out the parts.
  struct Sizes {
    std::optional<std::size_t> bytes = 0;
    template <class T>
    std::span<T> take(std::size_t n, std::size_t per) {
      auto const count = checked_mul(n, per);
      auto const size = count ? checked_mul(*count, sizeof(T)) : count;
      // A quarter of the address space leaves room for the padding.
      if (bytes && size && *size <= SIZE_MAX / 4) {
        bytes = checked_add(*bytes, round_up(*size, kAlignment));
      } else {
        bytes = std::nullopt;
      }
      return {};
    }
  };
  struct Carver {
    Arena& arena;
    template <class T>
    std::span<T> take(std::size_t n, std::size_t per) {
      return arena.take<T>(n * per);
    }
  };

  template <class Source>
  void lay_out(Source& source) {
    std::size_t const n = options_.max_rows;
    auto const matrix = [&](std::size_t rows, std::size_t cols) {
      return MatrixView<float>(source.template take<float>(rows, cols).data(), rows, cols);
    };
    // Columns that are no multiple of 32 never meet quantized weights.
    auto const quantized = [&](std::size_t cols) {
      if (cols % kActivationBlock != 0) return QuantizedRows{};
      return QuantizedRows(source.template take<std::byte>(n, QuantizedRows::row_bytes(cols)).data(), n, cols);
    };
    all_.items = source.template take<StepItem>(n, 1);
    all_.tokens = source.template take<Token>(n, 1);
    all_.logit_rows = source.template take<std::uint32_t>(options_.max_logits, 1);
    all_.cos = matrix(n, config_.rope_dim / 2);
    all_.sin = matrix(n, config_.rope_dim / 2);
    all_.x = matrix(n, config_.dim);
    all_.h = matrix(n, config_.dim);
    all_.h_q8 = quantized(config_.dim);
    all_.q = matrix(n, config_.q_dim());
    all_.k = matrix(n, config_.kv_dim());
    all_.v = matrix(n, config_.kv_dim());
    all_.attn = matrix(n, config_.q_dim());
    all_.attn_q8 = quantized(config_.q_dim());
    all_.gate = matrix(n, config_.ffn_dim);
    all_.up = matrix(n, config_.ffn_dim);
    all_.gate_q8 = quantized(config_.ffn_dim);
    all_.logits = matrix(options_.max_logits, config_.n_vocab);
    // Each sequence may leave its last block partly empty; there are at most as many sequences as rows and as tokens.
    std::size_t const tails = std::min(n, options_.max_context);
    all_.blocks =
        source.template take<KvBlockRef>(div_ceil(options_.max_context, kKvBlock) + tails, config_.n_kv_heads);
  }

  ModelConfig config_;
  WorkspaceOptions options_;
  Arena arena_;
  Step all_;  // views for the largest step
};

}  // namespace lamina::inline v0_1
