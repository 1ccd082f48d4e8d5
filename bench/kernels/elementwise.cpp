// The kernels between the products, one thread: norm, gate, softmax, rotation, embedding, quantization of activations;
// and the same by xsimd where it is a fair comparison. Their data stays in the caches, as it does in a model.
#include <array>
#include <cstring>

#include "bench/kernels/baselines.hpp"
#include "bench/kernels/suite.hpp"
#include "bench/random_weights.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace lamina::bench {
namespace {

constexpr std::array<std::size_t, 2> kRows{1, 512};
constexpr float kEps = 1e-5F;

/// One call of `body` reads and writes `bytes`.
template <class Body>
void run(benchmark::State& state, std::size_t bytes, Body body) {
  state.counters["GB/s"] = static_cast<double>(bytes) / 1e9 / seconds_per_call(state, body);
}

template <class RmsNorm>
void add_rms_norm(std::string_view who, RmsNorm rms_norm) {
  for (std::size_t const rows : kRows) {
    add("rms_norm/" + std::string(who) + part("", kDim) + part("rows:", rows), [=](benchmark::State& state) {
      std::vector<float> const x = random_floats(rows * kDim);
      std::vector<float> const weight(kDim, 1.5F);
      std::vector<float> y(x.size());
      run(state, 2 * x.size() * sizeof(float), [&] {
        rms_norm(MatrixView<float const>(x.data(), rows, kDim), std::span(weight), MatrixView(y.data(), rows, kDim));
      });
    });
  }
}

/// The gate is refilled for each iteration, or it would sink to denormals: all of them pay for the same copy.
template <class SiluGate>
void add_silu_gate(std::string_view who, SiluGate silu_gate) {
  add("silu_gate/" + std::string(who) + part("", kFfnDim), [=](benchmark::State& state) {
    std::vector<float> const x = random_floats(kFfnDim);
    std::vector<float> const up = random_floats(kFfnDim);
    std::vector<float> gate(kFfnDim);
    run(state, 3 * kFfnDim * sizeof(float), [&] {
      std::memcpy(gate.data(), x.data(), gate.size() * sizeof(float));
      silu_gate(std::span(gate), std::span(up));
    });
  });
}

template <class Softmax>
void add_softmax(std::string_view who, Softmax softmax) {
  for (std::size_t const n : {kFfnDim, kVocab}) {
    add("softmax/" + std::string(who) + part("", n), [=](benchmark::State& state) {
      std::vector<float> x = random_floats(n);
      run(state, 2 * n * sizeof(float), [&] { softmax(std::span(x)); });
    });
  }
}

void add_rope(KernelTable const& kernels) {
  for (RopeLayout const layout : {RopeLayout::kInterleaved, RopeLayout::kHalves}) {
    std::string const name = layout == RopeLayout::kHalves ? "halves" : "interleaved";
    add("rope/" + std::string(kernels.name) + "/" + name + part("", kDim), [&kernels, layout](benchmark::State& state) {
      std::vector<float> x = random_floats(kDim);
      std::vector<double> inv_freq(kHeadDim / 2);
      std::vector<float> cos(kHeadDim / 2);
      std::vector<float> sin(kHeadDim / 2);
      kernels.rope_frequencies(500000.0, kHeadDim, inv_freq);
      kernels.rope_angles(1000, inv_freq, cos.data(), sin.data());
      run(state, 2 * kDim * sizeof(float),
          [&] { kernels.rope(x.data(), kHeads, kHeadDim, kHeadDim / 2, cos.data(), sin.data(), layout); });
    });
  }
  add("rope_angles/" + std::string(kernels.name) + part("", kHeadDim), [&kernels](benchmark::State& state) {
    std::vector<double> inv_freq(kHeadDim / 2);
    std::vector<float> cos(kHeadDim / 2);
    std::vector<float> sin(kHeadDim / 2);
    kernels.rope_frequencies(500000.0, kHeadDim, inv_freq);
    std::size_t position = 0;
    run(state, kHeadDim * sizeof(float), [&] { kernels.rope_angles(position++, inv_freq, cos.data(), sin.data()); });
  });
}

void add_embed(KernelTable const& kernels, FormatTraits const& format) {
  constexpr std::size_t kTableRows = 1024;
  add("embed/" + std::string(kernels.name) + "/" + std::string(format.name) + part("", kDim),
      [&kernels, &format](benchmark::State& state) {
        std::vector<std::byte> stored(kTableRows * row_bytes(format.format, kDim));
        RandomWeights(format.format, 0.0F, 1.0F, 1).next(stored);
        Serial serial;
        PackedMatrix const table = pack_matrix(format.format, stored, kTableRows, kDim, format.format, serial);
        std::vector<float> row(kDim);
        std::size_t at = 0;
        run(state, kDim * sizeof(float), [&] { kernels.embed(table.view(), at++ % kTableRows, row.data()); });
      });
}

void add_quantize_rows(KernelTable const& kernels) {
  for (std::size_t const cols : {kDim, kFfnDim}) {
    for (std::size_t const rows : kRows) {
      add("quantize_rows/" + std::string(kernels.name) + part("", cols) + part("rows:", rows),
          [&kernels, cols, rows](benchmark::State& state) {
            std::size_t const blocks = cols / kActivationBlock;
            std::vector<float> const x = random_floats(rows * cols);
            std::vector<std::int8_t> q(rows * cols);
            std::vector<float> scale(rows * blocks);
            std::vector<std::int32_t> sum(rows * blocks), group_sum(2 * rows * blocks);
            run(state, rows * cols * (sizeof(float) + 1), [&] {
              kernels.quantize_rows({x.data(), rows, cols},
                                    {q.data(), scale.data(), sum.data(), group_sum.data(), rows, cols});
            });
          });
    }
  }
}

}  // namespace

void add_elementwise_benchmarks(Suite&) {
  for (KernelTable const* kernels : available_kernels()) {
    add_rms_norm(kernels->name, [kernels](MatrixView<float const> x, std::span<float const> weight,
                                          MatrixView<float> y) { kernels->rms_norm(x, weight, kEps, y); });
    add_silu_gate(kernels->name,
                  [kernels](std::span<float> gate, std::span<float const> up) { kernels->silu_gate(gate, up); });
    add_softmax(kernels->name, [kernels](std::span<float> x) { kernels->softmax(x); });
    add_rope(*kernels);
    for (FormatTraits const& format : kFormats) add_embed(*kernels, format);
    add_quantize_rows(*kernels);
  }
  add_rms_norm("xsimd", [](MatrixView<float const> x, std::span<float const> weight, MatrixView<float> y) {
    for (std::size_t r = 0; r < x.rows; ++r) {
      baseline::xsimd_rms_norm(x.row(r).data(), weight.data(), kEps, y.row(r).data(), x.cols);
    }
  });
  add_silu_gate("xsimd", [](std::span<float> gate, std::span<float const> up) {
    baseline::xsimd_silu_gate(gate.data(), up.data(), gate.size());
  });
  add_softmax("xsimd", [](std::span<float> x) { baseline::xsimd_softmax(x.data(), x.size()); });
}

}  // namespace lamina::bench
