// The kernels between the products, one thread: norm, gate, softmax, rotation, embedding, quantization of activations;
// and the same by xsimd where it is a fair comparison. Few rows stay in the caches, as they do in a model.
//
// An operation is one addition, multiplication, comparison or conversion of the kernel's definition (docs/numerics.md);
// an exponential, a root or a sine counts as one too, whatever it takes. Bytes are those read and those written, so
// that a share of the read bandwidth well above 1 means that the data came from a cache.
#include <cstring>

#include "bench/kernels/baselines.hpp"
#include "bench/kernels/suite.hpp"
#include "bench/random_weights.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::bench {
namespace {

constexpr float kEps = 1e-5F;

/// A kernel, or what is compared with it: its name, and the target whose peak it is set against.
struct Contender {
  std::string_view name;
  Target target;
};

/// For n values, each of which is `bytes` read and written, and `ops` operations.
Work work_of(std::size_t n, double bytes, double ops) {
  auto const values = static_cast<double>(n);
  return {.bytes = bytes * values, .float_ops = ops * values};
}

/// Registers `make(rows)` for each number of rows: it gives the body of one iteration, which does work_of_row's work
/// for each of them.
template <class Make>
void add_rows(Suite& suite, std::string kernel, Contender who, std::string const& shape, Work work_of_row,
              Make const& make) {
  kernel.append("/").append(who.name).append(shape);
  for (std::size_t const rows : kRows) {
    auto const n = static_cast<double>(rows);
    Work const work{.bytes = n * work_of_row.bytes, .float_ops = n * work_of_row.float_ops};
    add(kernel + part("rows:", rows),
        [=, &suite](benchmark::State& state) { suite.time(state, work, who.target, 1, make(rows)); });
  }
}

template <class RmsNorm>
void add_rms_norm(Suite& suite, Contender who, RmsNorm rms_norm) {
  add_rows(suite, "rms_norm", who, part("", kDim), work_of(kDim, 8, 4), [=](std::size_t rows) {
    return [=, x = random_floats(rows * kDim), weight = std::vector<float>(kDim, 1.5F),
            y = std::vector<float>(rows * kDim)]() mutable {
      rms_norm(MatrixView<float const>(x.data(), rows, kDim), std::span<float const>(weight),
               MatrixView(y.data(), rows, kDim));
    };
  });
}

/// The gate is refilled for each iteration, or it would sink to denormals: all of them pay for the same copy.
template <class SiluGate>
void add_silu_gate(Suite& suite, Contender who, SiluGate silu_gate) {
  add_rows(suite, "silu_gate", who, part("", kFfnDim), work_of(kFfnDim, 12, 5), [=](std::size_t rows) {
    return [=, x = random_floats(rows * kFfnDim), up = random_floats(rows * kFfnDim),
            gate = std::vector<float>(rows * kFfnDim)]() mutable {
      std::memcpy(gate.data(), x.data(), gate.size() * sizeof(float));
      silu_gate(std::span(gate), std::span<float const>(up));
    };
  });
}

template <class Softmax>
void add_softmax(Suite& suite, Contender who, Softmax softmax) {
  for (std::size_t const n : {kFfnDim, kVocab}) {
    add_rows(suite, "softmax", who, part("", n), work_of(n, 8, 5), [=](std::size_t rows) {
      return [=, x = random_floats(rows * n)]() mutable {
        for (std::size_t r = 0; r < rows; ++r) softmax(std::span(x).subspan(r * n, n));
      };
    });
  }
}

void add_rope(Suite& suite, KernelTable const& kernels, Contender who) {
  std::vector<double> inv_freq(kHeadDim / 2);
  kernels.rope_frequencies(500000.0, kHeadDim, inv_freq);
  for (RopeLayout const layout : {RopeLayout::kInterleaved, RopeLayout::kHalves}) {
    std::string const name = layout == RopeLayout::kHalves ? "/halves" : "/interleaved";
    add_rows(suite, "rope", who, name + part("", kDim), work_of(kDim, 8, 3), [=, &kernels](std::size_t rows) {
      std::vector<float> cos(kHeadDim / 2);
      std::vector<float> sin(kHeadDim / 2);
      kernels.rope_angles(1000, inv_freq, cos.data(), sin.data());
      return [=, &kernels, x = random_floats(rows * kDim)]() mutable {
        for (std::size_t r = 0; r < rows; ++r) {
          kernels.rope(x.data() + r * kDim, kHeads, kHeadDim, kHeadDim / 2, cos.data(), sin.data(), layout);
        }
      };
    });
  }
  add_rows(suite, "rope_angles", who, part("", kHeadDim), work_of(kHeadDim / 2, 8, 3), [=, &kernels](std::size_t rows) {
    return [=, &kernels, position = std::size_t{0}, cos = std::vector<float>(kHeadDim / 2),
            sin = std::vector<float>(kHeadDim / 2)]() mutable {
      for (std::size_t r = 0; r < rows; ++r) kernels.rope_angles(position++, inv_freq, cos.data(), sin.data());
    };
  });
}

void add_embed(Suite& suite, KernelTable const& kernels, Contender who, FormatTraits const& format) {
  constexpr std::size_t kTableRows = 1024;
  double const bytes = sizeof(float) + static_cast<double>(format.block_bytes) / static_cast<double>(format.block);
  add_rows(suite, "embed", who, "/" + std::string(format.name) + part("", kDim), work_of(kDim, bytes, 2),
           [&kernels, &format](std::size_t rows) {
             std::vector<std::byte> stored(kTableRows * row_bytes(format.format, kDim));
             RandomWeights(format.format, 0.0F, 1.0F, 1).next(stored);
             Serial serial;
             auto const table = std::make_shared<PackedMatrix const>(
                 pack_matrix(format.format, stored, kTableRows, kDim, format.format, serial));
             return [&kernels, rows, table, at = std::size_t{0}, out = std::vector<float>(rows * kDim)]() mutable {
               for (std::size_t r = 0; r < rows; ++r) {
                 kernels.embed(table->view(), at++ % kTableRows, out.data() + r * kDim);
               }
             };
           });
}

void add_quantize_rows(Suite& suite, KernelTable const& kernels, Contender who) {
  for (std::size_t const cols : {kDim, kFfnDim}) {
    add_rows(suite, "quantize_rows", who, part("", cols), work_of(cols, 5, 5), [&kernels, cols](std::size_t rows) {
      return [&kernels, rows, cols, x = random_floats(rows * cols),
              q8 = std::vector<std::byte>(rows * QuantizedRows::row_bytes(cols))]() mutable {
        kernels.quantize_rows({x.data(), rows, cols}, {q8.data(), rows, cols}, 0, 0);
      };
    });
  }
}

void add_kernels(Suite& suite, KernelTable const& kernels) {
  Contender const who{kernels.name, kernels.target};
  add_rms_norm(suite, who, [&kernels](MatrixView<float const> x, std::span<float const> weight, MatrixView<float> y) {
    kernels.rms_norm(x, weight, kEps, y);
  });
  add_silu_gate(suite, who,
                [&kernels](std::span<float> gate, std::span<float const> up) { kernels.silu_gate(gate, up); });
  add_softmax(suite, who, [&kernels](std::span<float> x) { kernels.softmax(x); });
  add_rope(suite, kernels, who);
  for (FormatTraits const& format : kFormats) add_embed(suite, kernels, who, format);
  add_quantize_rows(suite, kernels, who);
}

void add_xsimd(Suite& suite) {
  Contender const who{"xsimd", best_kernels().target};
  add_rms_norm(suite, who, [](MatrixView<float const> x, std::span<float const> weight, MatrixView<float> y) {
    for (std::size_t r = 0; r < x.rows; ++r) {
      baseline::xsimd_rms_norm(x.row(r).data(), weight.data(), kEps, y.row(r).data(), x.cols);
    }
  });
  add_silu_gate(suite, who, [](std::span<float> gate, std::span<float const> up) {
    baseline::xsimd_silu_gate(gate.data(), up.data(), gate.size());
  });
  add_softmax(suite, who, [](std::span<float> x) { baseline::xsimd_softmax(x.data(), x.size()); });
}

}  // namespace

void add_elementwise_benchmarks(Suite& suite) {
  for (KernelTable const* kernels : available_kernels()) add_kernels(suite, *kernels);
  add_xsimd(suite);
}

}  // namespace lamina::bench
