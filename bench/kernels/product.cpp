// Matrix products: every format, target and number of rows, on the matrices of a 1B model; and Eigen's float product.
#include <array>
#include <cstring>

#include "bench/kernels/baselines.hpp"
#include "bench/kernels/suite.hpp"
#include "bench/random_weights.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/model/tiling.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::bench {
namespace {

struct MatrixShape {
  std::size_t rows;
  std::size_t cols;
  [[nodiscard]] std::string name() const { return std::to_string(rows) + "x" + std::to_string(cols); }
};

constexpr std::array kShapes{MatrixShape{kDim, kDim}, MatrixShape{kFfnDim, kDim}, MatrixShape{kDim, kFfnDim}};

/// Copies of one packed random matrix, enough of them that none stays in a cache between its uses.
class ColdWeights {
 public:
  ColdWeights(Format format, MatrixShape shape) {
    std::vector<std::byte> stored(shape.rows * row_bytes(format, shape.cols));
    RandomWeights(format, 0.0F, 0.02F, 1).next(stored);
    Serial serial;
    PackedMatrix const packed = pack_matrix(format, stored, shape.rows, shape.cols, format, serial);
    view_ = packed.view();
    stride_ = round_up(view_.bytes(), kAlignment);
    n_ = div_ceil(kColdBytes, stride_);
    copies_ = AlignedBuffer<std::byte>(n_ * stride_);
    for (std::size_t i = 0; i < n_; ++i) std::memcpy(copies_.data() + i * stride_, view_.data, view_.bytes());
  }

  PackedView next() {
    PackedView view = view_;
    view.data = copies_.data() + at_ * stride_;
    at_ = (at_ + 1) % n_;
    return view;
  }

 private:
  AlignedBuffer<std::byte> copies_;
  PackedView view_;
  std::size_t stride_ = 0;
  std::size_t n_ = 0;
  std::size_t at_ = 0;
};

/// The weights of the benchmark that ran last; the next one often wants the same.
ColdWeights& cold_weights(Format format, MatrixShape shape) {
  static std::unique_ptr<ColdWeights> weights;
  static std::string made_for;
  std::string const key = std::string(traits(format).name) + shape.name();
  if (made_for != key) {
    weights.reset();
    weights = std::make_unique<ColdWeights>(format, shape);
    made_for = key;
  }
  return *weights;
}

/// Rows of activations in both forms.
struct ActivationRows {
  std::vector<float> f32;
  std::vector<std::byte> q8;
  Activations view;

  ActivationRows(KernelTable const& kernels, std::size_t rows, std::size_t cols)
      : f32(random_floats(rows * cols)),
        q8(rows * QuantizedRows::row_bytes(cols)),
        view{{f32.data(), rows, cols}, {q8.data(), rows, cols}} {
    kernels.quantize_rows(view.f32, view.q8, 0, 0);
  }
};

void run_product(benchmark::State& state, Suite& suite, KernelTable const& kernels, Format format, MatrixShape shape,
                 std::size_t rows, std::size_t n_threads) {
  ColdWeights& weights = cold_weights(format, shape);
  ActivationRows const x(kernels, rows, shape.cols);
  std::vector<float> y(rows * shape.rows);
  MatrixView<float> const out(y.data(), rows, shape.rows);

  double const ops = 2.0 * static_cast<double>(shape.rows * shape.cols * rows);
  bool const quantized = traits(format).quantized;
  PackedView const first = weights.next();
  Work const work{static_cast<double>(first.bytes()), quantized ? ops : 0.0, quantized ? 0.0 : ops};

  // Cut as a model cuts it (model/cpu_backend.hpp).
  std::size_t const row_bytes = quantized ? QuantizedRows::row_bytes(shape.cols) : shape.cols * sizeof(float);
  lamina::detail::Grid const grid{
      .n_units = first.panels(),
      .n_rows = rows,
      .unit_work = kPanelRows * shape.cols,
      .unit_bytes = first.panel_bytes,
      .tile_rows = lamina::detail::tile_rows(
          row_bytes, quantized ? kernels.rows_at_once : lamina::detail::kStreamingRows, lamina::detail::tile_bytes()),
      .stream_units = lamina::detail::kPanelsAtOnce,
      .run_parts = kernels.run_parts};
  ThreadPool& pool = suite.pool(n_threads);
  suite.time(state, work, kernels.target, n_threads, [&] {
    PackedView const w = weights.next();
    lamina::detail::for_each_tile(
        pool, grid, [&](std::size_t first_panel, std::size_t last_panel, std::size_t row, std::size_t n_rows) {
          kernels.matmul(w, first_panel, last_panel, x.view.slice(row, n_rows), out.slice(row, n_rows),
                         Epilogue::kStore);
        });
  });
}

void run_eigen(benchmark::State& state, Suite& suite, MatrixShape shape, std::size_t rows) {
  std::size_t const size = shape.rows * shape.cols;
  std::size_t const n = div_ceil(kColdBytes, size * sizeof(float));
  std::vector<float> const w(n * size, 0.01F);
  std::vector<float> const x = random_floats(rows * shape.cols);
  std::vector<float> y(rows * shape.rows);
  Work const work{.bytes = static_cast<double>(size) * 4, .float_ops = 2.0 * static_cast<double>(size * rows)};
  std::size_t at = 0;
  suite.time(state, work, best_kernels().target, 1, [&] {
    baseline::eigen_product(w.data() + at * size, shape.rows, shape.cols, x.data(), rows, y.data());
    at = (at + 1) % n;
  });
}

}  // namespace

void add_product_benchmarks(Suite& suite) {
  std::vector<KernelTable const*> tables(available_kernels().begin(), available_kernels().end());
  if (KernelTable const& fast = best_kernels(Numerics::Fast); &fast != tables.front()) tables.push_back(&fast);
  for (KernelTable const* kernels : tables) {
    for (FormatTraits const& format : kFormats) {
      for (MatrixShape const shape : kShapes) {
        for (std::size_t const rows : kRows) {
          // The reference is a specification: one shape tells how far it is behind.
          bool const is_reference = kernels->target == Target::kReference;
          if (is_reference && (shape.rows != kDim || shape.cols != kDim)) continue;
          for (std::size_t const n_threads : thread_counts()) {
            if (is_reference && n_threads > 1) continue;
            add("matmul/" + std::string(kernels->name) + "/" + std::string(format.name) + "/" + shape.name() +
                    part("rows:", rows) + part("threads:", n_threads),
                [&suite, kernels, f = format.format, shape, rows, n_threads](benchmark::State& state) {
                  run_product(state, suite, *kernels, f, shape, rows, n_threads);
                });
          }
        }
      }
    }
  }
  for (MatrixShape const shape : kShapes) {
    for (std::size_t const rows : kRows) {
      add("matmul/eigen/F32/" + shape.name() + part("rows:", rows) + part("threads:", 1),
          [&suite, shape, rows](benchmark::State& state) { run_eigen(state, suite, shape, rows); });
    }
  }
}

}  // namespace lamina::bench
