// The decoder's operations on a CPU: cut into tasks for an executor, each a few kernel calls that share what is in the
// cache. Per layer five runs of tasks: q, k, v; attention; output; gate and up; down.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lamina/core/aligned.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/kernels/kernel_table.hpp"
#include "lamina/model/backend.hpp"
#include "lamina/model/tiling.hpp"
#include "lamina/model/weights.hpp"
#include "lamina/model/workspace.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::inline v0_1 {

template <Executor E>
class Cpu {
 public:
  using Matrix = PackedMatrix;
  using Vector = AlignedBuffer<float>;
  using Storage = Arena;
  using Workspace = lamina::Workspace;
  using Layer = LayerWeights<Matrix, Vector>;

  /// Shares the executor. Precondition: this CPU can run the kernels.
  Cpu(std::shared_ptr<E> executor, KernelTable const& kernels) : executor_(std::move(executor)), kernels_(&kernels) {}
  /// Uses the host's executor, which must outlive the models made with it.
  explicit Cpu(E& executor, KernelTable const& kernels = best_kernels())
      : Cpu(std::shared_ptr<E>(std::shared_ptr<void>(), &executor), kernels) {}

  [[nodiscard]] KernelTable const& kernels() const noexcept { return *kernels_; }
  [[nodiscard]] E& executor() const noexcept { return *executor_; }

  /// vdpbf16ps wants F16 rounded to BF16: once, here, instead of in every product (prefill 1.2 times as fast, Zen 5).
  [[nodiscard]] Format product_format(Format format) const noexcept {
    return format == Format::kF16 && kernels_->target == Target::kAvx3Bf16 ? Format::kBF16 : format;
  }
  /// One block for all: matrices in blocks of their own begin and end on small pages, since a huge page that is to be
  /// has to lie in one block when it is first touched. On Zen 4 a step of decoding with 1b Q4_0, a quarter of it on
  /// small pages, takes 1.10 times as long where reading gives 65 GB/s, 1.02 to 1.03 times (Q4_K) at 39.
  [[nodiscard]] Storage storage_for(std::span<MatrixShape const> shapes) const {
    std::optional<std::size_t> bytes = 0;
    for (MatrixShape const& m : shapes) {
      auto const of_one = packed_bytes(m.format, m.rows, m.cols);
      if (!of_one) continue;  // loading it will say why
      if (bytes) bytes = checked_add(*bytes, *of_one);
      if (bytes) bytes = checked_add(*bytes, kAlignment - 1);
      if (bytes) bytes = *bytes / kAlignment * kAlignment;
    }
    if (!bytes) throw std::bad_alloc();
    return Arena(*bytes);
  }
  Matrix load_matrix(Format stored, std::span<std::byte const> bytes, std::size_t rows, std::size_t cols, Format target,
                     Storage& storage) {
    return pack_matrix(stored, bytes, rows, cols, target, *executor_, &storage);
  }
  Matrix map_matrix(PackedView const& panels) { return Matrix(panels); }
  Vector load_vector(std::vector<float> const& values) {
    Vector out(values.size());
    std::memcpy(out.data(), values.data(), values.size() * sizeof(float));
    return out;
  }

  void rotations(std::span<double const> inv_freq, Step& s) const {
    for (StepItem const& item : s.items) {
      detail::for_each_run(*executor_, item.n_rows, item.n_rows * inv_freq.size() * kAngleWork,
                           [&](std::size_t first, std::size_t last) {
                             for (std::size_t i = first; i < last; ++i) {
                               std::size_t const row = item.first_row + i;
                               kernels_->rope_angles(item.position + i, inv_freq, s.cos.row(row).data(),
                                                     s.sin.row(row).data());
                             }
                           });
    }
  }

  void embed(Matrix const& table, Step& s) const {
    PackedView const w = table.view();
    for_each_row(s.rows(), w.cols,
                 [&](std::size_t r) { kernels_->embed(w, static_cast<std::size_t>(s.tokens[r]), s.x.row(r).data()); });
  }

  template <bool kBias>
  void project_qkv(Layer const& layer, Qkv part, float eps, Step& s) const {
    std::size_t const first = part == Qkv::kKeysValues ? 1 : 0;
    std::size_t const last = part == Qkv::kQueries ? 1 : 3;
    PackedView const all[] = {layer.q.view(), layer.k.view(), layer.v.view()};
    MatrixView<float> const y[] = {s.q, s.k, s.v};
    std::span<PackedView const> const w = std::span(all).subspan(first, last - first);
    normalize(layer.attn_norm, eps, w, s);
    if constexpr (kBias) {
      // y = bias, then y = y + w x: one rounding for the addition, and no kernel of its own.
      Vector const* const biases[] = {&layer.q_bias, &layer.k_bias, &layer.v_bias};
      for (std::size_t i = first; i < last; ++i) {
        for (std::size_t r = 0; r < s.rows(); ++r) {
          std::memcpy(y[i].row(r).data(), biases[i]->data(), biases[i]->size() * sizeof(float));
        }
      }
    }
    multiply(w, {s.h, s.h_q8}, std::span(y).subspan(first, last - first), kBias ? Epilogue::kAdd : Epilogue::kStore);
  }

  void gather_logit_rows(Step& s) const {
    for (MatrixView<float> const& m : {s.x, s.cos, s.sin}) {
      for (std::size_t i = 0; i < s.logit_rows.size(); ++i) {  // ascending: none is written over before it moves
        std::size_t const row = s.logit_rows[i];
        if (row != i) std::ranges::copy(m.row(row), m.row(i).begin());
      }
    }
  }

  void attend(Layer const& layer, AttentionSpec const& spec, Qkv part, Step& s) const {
    bool const quantize = is_quantized(layer.attn_output);
    std::size_t const width = spec.n_heads / spec.n_kv_heads * spec.head_dim;
    bool const in_tiles = quantize && width % kActivationBlock == 0;  // a task's columns are whole blocks
    std::size_t n_tiles = 0;                                          // of kAttendRows rows, per KV head
    std::size_t work = 0;
    for (StepItem const& item : s.items) {
      n_tiles += div_ceil(item.n_rows, kAttendRows);
      work += 2 * item.n_rows * (item.position + item.n_rows) * spec.n_heads * spec.head_dim;
    }
    // Single rows need nothing of their neighbours: append and attend in one task.
    bool const fused = part == Qkv::kAll && n_tiles == s.rows();
    if (part != Qkv::kQueries && !fused) {
      detail::for_each_run(*executor_, n_tiles * spec.n_kv_heads,
                           s.rows() * spec.n_kv_heads * spec.head_dim * kAppendWork,
                           [&](std::size_t first, std::size_t last) {
                             Tile tile = tile_at(s, spec.n_kv_heads, first);
                             for (std::size_t t = first; t < last; ++t, advance(tile, s, spec.n_kv_heads)) {
                               append_tile(spec, tile, s);
                             }
                           });
    }
    if (part == Qkv::kKeysValues) return;
    auto const run = [&](std::size_t first, std::size_t last) {
      Tile tile = tile_at(s, spec.n_kv_heads, first);
      for (std::size_t t = first; t < last; ++t, advance(tile, s, spec.n_kv_heads)) {
        if (fused) append_tile(spec, tile, s);
        attend_tile(spec, tile, s);
        if (in_tiles) {
          quantize_columns(s.attn, s.attn_q8, s.items[tile.item].first_row + tile.first, tile.n_rows,
                           tile.kv_head * width, width);
        }
      }
    };
    detail::for_each_run(*executor_, n_tiles * spec.n_kv_heads, work, run);
    if (quantize && !in_tiles) {
      for_each_row(s.rows(), s.attn.cols,
                   [&](std::size_t r) { kernels_->quantize_rows(s.attn.slice(r, 1), s.attn_q8, r, 0); });
    }
  }

  void project_add(Layer const& layer, Step& s) const { multiply_add(layer.attn_output, {s.attn, s.attn_q8}, s.x); }

  void gate_up(Layer const& layer, float eps, Step& s) const {
    PackedView const w[] = {layer.gate.view(), layer.up.view()};
    normalize(layer.ffn_norm, eps, w, s);
    bool const quantize = is_quantized(layer.down);
    Activations const h{s.h, s.h_q8};
    // A unit is 32 columns of gate and of up: two panels of each, and one block of the next product's activations.
    std::size_t const n = w[0].rows;
    constexpr std::size_t kPanels = kActivationBlock / kPanelRows;
    detail::Grid const grid{.n_units = div_ceil(n, kActivationBlock),
                            .n_rows = s.rows(),
                            .unit_work = 2 * kActivationBlock * w[0].cols,
                            .unit_bytes = kPanels * (w[0].panel_bytes + w[1].panel_bytes),
                            .tile_rows = tile_rows(w),
                            .stream_units = detail::kPanelsAtOnce / kPanels,
                            .run_parts = kernels_->run_parts};
    detail::for_each_tile(*executor_, grid, [&](std::size_t u0, std::size_t u1, std::size_t row, std::size_t n_rows) {
      Activations const x = h.slice(row, n_rows);
      std::size_t const step = n_rows > detail::kStreamingRows ? kGateUnits : u1 - u0;
      // This task's part of the memory of gate and up: such parts follow one another, tile of rows after tile of rows.
      std::size_t const own = row * n + u0 * kActivationBlock * n_rows;
      for (std::size_t u = u0; u < u1; u += step) {
        std::size_t const p0 = u * kPanels;
        std::size_t const p1 = std::min(std::min(u + step, u1) * kPanels, w[0].panels());
        std::size_t const c0 = u * kActivationBlock;
        std::size_t const columns = std::min(p1 * kPanelRows, n) - c0;
        MatrixView<float> const up(s.up.data + own, n_rows, columns);
        MatrixView<float> const gate = quantize ? MatrixView<float>(s.gate.data + own, n_rows, columns)
                                                : MatrixView<float>(s.gate.row(row).data() + c0, n_rows, columns, n);
        kernels_->matmul(w[0].slice(p0, p1), 0, p1 - p0, x, gate, Epilogue::kStore);
        kernels_->matmul(w[1].slice(p0, p1), 0, p1 - p0, x, up, Epilogue::kStore);
        for (std::size_t r = 0; r < n_rows; r += kSiluRows) {
          std::size_t const n_silu = std::min(kSiluRows, n_rows - r);
          for (std::size_t i = r; i < r + n_silu; ++i) kernels_->silu_gate(gate.row(i), up.row(i));
          if (quantize) kernels_->quantize_rows(gate.slice(r, n_silu), s.gate_q8, row + r, c0);
        }
      }
    });
  }

  void down_add(Layer const& layer, Step& s) const { multiply_add(layer.down, {s.gate, s.gate_q8}, s.x); }

  std::size_t logits(Vector const& norm, Matrix const& output, float eps, Step& s) const {
    std::size_t const n = s.logit_rows.size();
    if (n == 0) return 0;
    PackedView const w[] = {output.view()};
    bool const quantize = any_quantized(w);
    Activations const h{s.h.slice(0, n), s.h_q8.resized(n)};
    for_each_row(n, s.h.cols, [&](std::size_t i) {
      kernels_->rms_norm(s.x.slice(s.logit_rows[i], 1), norm.span(), eps, s.h.slice(i, 1));
      if (quantize) kernels_->quantize_rows(s.h.slice(i, 1), h.q8, i, 0);
    });
    std::atomic<std::size_t> first_bad = n;
    detail::for_each_tile(
        *executor_, panel_grid(w, n), [&](std::size_t p0, std::size_t p1, std::size_t row, std::size_t n_rows) {
          kernels_->matmul(w[0], p0, p1, h.slice(row, n_rows), s.logits.slice(row, n_rows), Epilogue::kStore);
          std::size_t const c0 = p0 * kPanelRows;
          std::size_t const c1 = std::min(p1 * kPanelRows, w[0].rows);
          for (std::size_t r = row; r < row + n_rows; ++r) {
            if (all_finite(s.logits.row(r).subspan(c0, c1 - c0))) continue;
            std::size_t seen = first_bad.load();
            while (r < seen && !first_bad.compare_exchange_weak(seen, r)) {}
          }
        });
    return first_bad.load();
  }

 private:
  // Costs in multiply-adds, for the decision whether to use more threads; low, since memory and not arithmetic may be
  // what they wait for. Zen 4 does some 100 multiply-adds in a nanosecond, takes 1 ns and more for an element or
  // component, much of it for lines from beyond the L2 cache, and 53 ns for an angle.
  static constexpr std::size_t kAngleWork = 1024;  // one angle's sine and cosine
  static constexpr std::size_t kAppendWork = 32;   // rotation and storing of one component
  static constexpr std::size_t kElementWork = 32;  // norm, int8, dequantization of one component
  static constexpr std::size_t kAttendRows = 16;   // query tokens of one attention task
  /// Blocks of 32 columns of gate and up that are computed before SiLU makes one of them, where there are many rows:
  /// few enough to wait in the L2 cache (256 rows: 128 KiB). Whole prefill on Zen 4, 128 rows, medians and best of 7
  /// turns, against rows of 32 KiB: Q4_0 1.03 and 1.007 times, Q4_K 0.98 to 1.01 and 1.001, Q6_K 1.01 to 1.02
  /// and 1.004, Q8_0 1.01 and 1.006.
  static constexpr std::size_t kGateUnits = 2;
  /// Rows that SiLU and then int8 pass over, while they are in the L1 cache: of kGateUnits blocks each they are the 8
  /// blocks of 4 rows that kernels quantize together. Zen 4: 1.5 of 1,520 ms of a prefill less than all rows of a tile.
  static constexpr std::size_t kSiluRows = 16;

  /// Query tokens [first, first + n_rows) of an item, for one KV head.
  struct Tile {
    std::size_t item = 0;
    std::size_t kv_head = 0;
    std::size_t first = 0;
    std::size_t n_rows = 0;
  };

  static bool is_quantized(Matrix const& w) noexcept { return traits(w.view().format).quantized; }
  static bool any_quantized(std::span<PackedView const> w) noexcept {
    return std::ranges::any_of(w, [](PackedView const& one) { return traits(one.format).quantized; });
  }
  static bool all_quantized(std::span<PackedView const> w) noexcept {
    return std::ranges::all_of(w, [](PackedView const& one) { return traits(one.format).quantized; });
  }
  [[nodiscard]] std::size_t tile_rows(std::span<PackedView const> w) const noexcept {
    bool const quantized = any_quantized(w);
    std::size_t const row_bytes = quantized ? QuantizedRows::row_bytes(w[0].cols) : w[0].cols * sizeof(float);
    std::size_t const least = quantized ? kernels_->rows_at_once : detail::kStreamingRows;
    return detail::tile_rows(row_bytes, least, tile_bytes_);
  }
  /// Looks at the bits, which a host's -ffast-math cannot fold away.
  static bool all_finite(std::span<float const> row) noexcept {
    bool bad = false;
    for (float const x : row) bad |= (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) == 0x7f800000u;
    return !bad;
  }

  template <class Body>
  void for_each_row(std::size_t n_rows, std::size_t cols, Body const& body) const {
    detail::for_each_run(*executor_, n_rows, n_rows * cols * kElementWork, [&](std::size_t first, std::size_t last) {
      for (std::size_t r = first; r < last; ++r) body(r);
    });
  }

  /// What the products with `w` read: whole groups of int8 rows together, while they are in the L1 cache. Floats that
  /// no product reads are all written to the first rows of a run, which stay in the cache (Zen 4: prefill 1.005 times).
  void normalize(Vector const& norm, float eps, std::span<PackedView const> w, Step& s) const {
    bool const quantize = any_quantized(w);
    bool const keep = !all_quantized(w);
    detail::for_each_run(*executor_, div_ceil(s.rows(), kActivationRows), s.rows() * s.x.cols * kElementWork,
                         [&](std::size_t first, std::size_t last) {
                           for (std::size_t r = first * kActivationRows; r < last * kActivationRows;
                                r += kActivationRows) {
                             std::size_t const n = std::min(kActivationRows, s.rows() - r);
                             auto const h = s.h.slice(keep ? r : first * kActivationRows, n);
                             kernels_->rms_norm(s.x.slice(r, n), norm.span(), eps, h);
                             if (quantize) kernels_->quantize_rows(h, s.h_q8, r, 0);
                           }
                         });
  }

  /// The columns [c0, c0 + n) of some rows to int8. c0 and n are multiples of the activation block.
  void quantize_columns(MatrixView<float> x, QuantizedRows const& out, std::size_t first_row, std::size_t n_rows,
                        std::size_t c0, std::size_t n) const {
    kernels_->quantize_rows({x.row(first_row).data() + c0, n_rows, n, x.stride}, out, first_row, c0);
  }

  [[nodiscard]] detail::Grid panel_grid(std::span<PackedView const> w, std::size_t n_rows) const noexcept {
    detail::Grid grid{.n_units = 0,
                      .n_rows = n_rows,
                      .unit_work = kPanelRows * w[0].cols,
                      .unit_bytes = w[0].panel_bytes,
                      .tile_rows = tile_rows(w),
                      .stream_units = detail::kPanelsAtOnce,
                      .run_parts = kernels_->run_parts};
    for (PackedView const& one : w) grid.n_units += one.panels();
    return grid;
  }

  /// y[i] = w[i] x (or y[i] + w[i] x), as one run over all panels one after the other.
  void multiply(std::span<PackedView const> w, Activations const& x, std::span<MatrixView<float> const> y,
                Epilogue epilogue) const {
    std::size_t const n_rows = y[0].rows;
    detail::for_each_tile(*executor_, panel_grid(w, n_rows),
                          [&](std::size_t u0, std::size_t u1, std::size_t row, std::size_t rows) {
                            Activations const part = x.slice(row, rows);
                            std::size_t before = 0;  // panels of the matrices so far
                            for (std::size_t i = 0; i < w.size(); before += w[i].panels(), ++i) {
                              std::size_t const p0 = std::max(u0, before) - before;
                              std::size_t const p1 = std::min(std::max(u1, before) - before, w[i].panels());
                              if (p0 < p1) kernels_->matmul(w[i], p0, p1, part, y[i].slice(row, rows), epilogue);
                            }
                          });
  }
  void multiply_add(Matrix const& w, Activations const& x, MatrixView<float> y) const {
    PackedView const view = w.view();
    multiply({&view, 1}, x, {&y, 1}, Epilogue::kAdd);
  }

  /// RoPE for heads of a row that lie side by side.
  void rotate(AttentionSpec const& spec, Step const& s, std::size_t row, float* heads, std::size_t n_heads) const {
    kernels_->rope(heads, n_heads, spec.head_dim, s.cos.cols, s.cos.row(row).data(), s.sin.row(row).data(),
                   spec.rope_layout);
  }

  /// k, rotated, and v of a tile's rows go into the cache.
  void append_tile(AttentionSpec const& spec, Tile const& tile, Step const& s) const {
    StepItem const& item = s.items[tile.item];
    std::size_t const d = spec.head_dim;
    std::span<KvBlockRef const> const blocks = s.blocks_of(item, tile.kv_head);
    for (std::size_t i = tile.first; i < tile.first + tile.n_rows; ++i) {
      std::size_t const row = item.first_row + i;
      float* const k = s.k.row(row).data() + tile.kv_head * d;
      rotate(spec, s, row, k, 1);
      std::size_t const position = item.position + i;
      kernels_->store_kv(spec.element, d, k, s.v.row(row).data() + tile.kv_head * d, blocks[position / kKvBlock],
                         position % kKvBlock);
    }
  }

  /// Tiles are numbered item by item, within it by rows, so that threads have the rows whose queries they computed, and
  /// within those KV head by KV head.
  static Tile tile_at(Step const& s, std::size_t n_kv_heads, std::size_t index) noexcept {
    Tile tile;
    for (;; ++tile.item) {
      std::size_t const n_rows = s.items[tile.item].n_rows;
      std::size_t const of_item = div_ceil(n_rows, kAttendRows) * n_kv_heads;
      if (index < of_item) {
        tile.kv_head = index % n_kv_heads;
        tile.first = index / n_kv_heads * kAttendRows;
        tile.n_rows = std::min(kAttendRows, n_rows - tile.first);
        return tile;
      }
      index -= of_item;
    }
  }
  /// To the next tile; beyond the last one it is not to be used.
  static void advance(Tile& tile, Step const& s, std::size_t n_kv_heads) noexcept {
    if (++tile.kv_head < n_kv_heads) return;
    tile.kv_head = 0;
    tile.first += tile.n_rows;
    if (tile.first == s.items[tile.item].n_rows) {
      tile.first = 0;
      if (++tile.item == s.items.size()) return;
    }
    tile.n_rows = std::min(kAttendRows, s.items[tile.item].n_rows - tile.first);
  }

  /// Queries are rotated right before they are read. In a pass of its own, over rows far apart, rotating waits for
  /// memory (Zen 5: 1 % of a prefill).
  void attend_tile(AttentionSpec const& spec, Tile const& tile, Step const& s) const {
    StepItem const& item = s.items[tile.item];
    std::size_t const group = spec.n_heads / spec.n_kv_heads;
    std::size_t const width = group * spec.head_dim;
    std::size_t const row = item.first_row + tile.first;
    MatrixView<float> const q(s.q.row(row).data() + tile.kv_head * width, tile.n_rows, width, s.q.stride);
    for (std::size_t r = 0; r < tile.n_rows; ++r) rotate(spec, s, row + r, q.row(r).data(), group);
    AttendArgs const args{
        .element = spec.element,
        .head_dim = spec.head_dim,
        .group = group,
        .scale = spec.scale,
        .q = q,
        .out = {s.attn.row(row).data() + tile.kv_head * width, tile.n_rows, width, s.attn.stride},
        .first_position = item.position + tile.first,
        .window = 0,
        .blocks = s.blocks_of(item, tile.kv_head),
    };
    kernels_->attend(args);
  }

  std::shared_ptr<E> executor_;
  KernelTable const* kernels_;
  std::size_t tile_bytes_ = detail::tile_bytes();  // asked for once: the answer takes a microsecond in a guest system
};

}  // namespace lamina::inline v0_1
