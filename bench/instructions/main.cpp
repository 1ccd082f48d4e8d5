// instructions --list | --run: the hot kernels, each once, for a tool that counts instructions (compare.py).
//
// Timing on shared machines tells 20 % differences at best; the number of instructions is the same each time. Every
// case is one call of lamina_measured, in the order of --list. AVX2, which Valgrind knows.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/random_weights.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/kernels/dispatch.hpp"
#include "lamina/quant/packed_matrix.hpp"

namespace {

using namespace lamina;

struct Case {
  std::string name;
  std::function<void()> run;
};

constexpr std::size_t kOut = 128, kCols = 1024, kMaxRows = 32;
constexpr std::array<std::size_t, 4> kRows{1, 2, 4, kMaxRows};
constexpr std::size_t kHeadDim = 64, kGroup = 4, kContext = 512;

/// Values between -1 and 1 that repeat late.
std::vector<float> values(std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = std::sin(static_cast<float>(i * i % 9973));
  return out;
}

/// What the cases read and write, made before any of them is measured.
struct Data {
  std::vector<float> x = values(kMaxRows * kCols);
  std::vector<float> y = std::vector<float>(kMaxRows * kCols);
  std::map<std::size_t, std::vector<std::byte>> q8;  // by number of rows
  std::vector<PackedMatrix> weights;
  AlignedBuffer<std::byte> cache{kContext * kHeadDim * 2 * size_of(KvElement::kF16)};
  std::vector<KvBlockRef> blocks;

  explicit Data(KernelTable const& kernels) {
    Serial serial;
    for (FormatTraits const& t : kFormats) {
      std::vector<std::byte> rows(kOut * row_bytes(t.format, kCols));
      bench::RandomWeights(t.format, 0.0F, 1.0F, 1).next(rows);
      weights.push_back(pack_matrix(t.format, rows, kOut, kCols, t.format, serial));
    }
    for (std::size_t const rows : kRows) {
      q8[rows].resize(rows * QuantizedRows::row_bytes(kCols));
      kernels.quantize_rows(activations(rows).f32, quantized(rows), 0, 0);
    }
    bench::RandomWeights(Format::kF16, 0.0F, 1.0F, 1).next(cache.span());
    std::size_t const half = kKvBlock * kHeadDim * size_of(KvElement::kF16);
    for (std::size_t at = 0; at < cache.size(); at += 2 * half) {
      blocks.push_back({cache.data() + at, cache.data() + at + half});
    }
  }
  [[nodiscard]] QuantizedRows quantized(std::size_t rows) { return {q8.at(rows).data(), rows, kCols}; }
  [[nodiscard]] Activations activations(std::size_t rows) { return {{x.data(), rows, kCols}, quantized(rows)}; }
};

std::vector<Case> make_cases(KernelTable const& k, Data& data) {
  std::vector<Case> cases;
  for (PackedMatrix const& matrix : data.weights) {
    PackedView const w = matrix.view();
    for (std::size_t const rows : kRows) {
      cases.push_back({"matmul " + std::string(traits(w.format).name) + " rows " + std::to_string(rows), [&, w, rows] {
                         k.matmul(w, 0, w.panels(), data.activations(rows), {data.y.data(), rows, kOut},
                                  Epilogue::kStore);
                       }});
    }
  }
  for (std::size_t const n : {1u, 16u}) {
    cases.push_back({"attend f16 tokens " + std::to_string(n), [&, n] {
                       k.attend({.element = KvElement::kF16,
                                 .head_dim = kHeadDim,
                                 .group = kGroup,
                                 .scale = 0.125F,
                                 .q = {data.x.data(), n, kGroup * kHeadDim},
                                 .out = {data.y.data(), n, kGroup * kHeadDim},
                                 .first_position = kContext - n,
                                 .blocks = data.blocks});
                     }});
  }
  cases.push_back({"quantize_rows", [&] { k.quantize_rows(data.activations(4).f32, data.quantized(4), 0, 0); }});
  cases.push_back(
      {"rms_norm",
       [&] { k.rms_norm(data.activations(4).f32, std::span(data.x).first(kCols), 1e-5F, {data.y.data(), 4, kCols}); }});
  cases.push_back({"silu_gate", [&] { k.silu_gate(std::span(data.y).first(4096), std::span(data.x).first(4096)); }});
  cases.push_back({"softmax", [&] { k.softmax(std::span(data.y).first(4096)); }});
  return cases;
}

}  // namespace

/// The function that compare.py tells Callgrind to look at.
extern "C" __attribute__((noinline)) void lamina_measured(std::function<void()> const& run) { run(); }

int main(int argc, char** argv) {
  std::string_view const what = argc == 2 ? argv[1] : "";
  if (what != "--list" && what != "--run") {
    std::fputs("usage: instructions --list | --run\n", stderr);
    return 2;
  }
  KernelTable const& kernels = kernels_named("avx2");
  Data data(kernels);
  for (Case const& one : make_cases(kernels, data)) {
    if (what == "--list") {
      std::puts(one.name.c_str());
    } else {
      lamina_measured(one.run);
    }
  }
}
