// The kernels that the decoder speaks to: one table of functions per instruction set, and the arguments they take.
//
// Every function here is noexcept, allocates nothing, keeps no state and may run on many threads at a time on disjoint
// outputs. Every table gives the same bits as `reference_kernels()` (reference.hpp), which is the specification; those
// whose bit_exact is false are equal to a tolerance only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lamina/core/views.hpp"
#include "lamina/kernels/quantized_rows.hpp"
#include "lamina/quant/format.hpp"

namespace lamina::inline v0_1 {

/// Instruction sets that kernels are compiled for, worst first; kAvx3Zen4 is before or after kAvx3Dl by CPU.
enum class Target : std::uint8_t {
  kReference,  // plain loops and std::fma
  kSse4,       // no FMA: results are equal to a tolerance only
  kAvx2,       // with FMA and F16C
  kAvx3,       // AVX-512 F, BW, CD, DQ, VL
  kAvx3Dl,     // the same with VNNI (vpdpbusd)
  kAvx3Zen4,   // the same, cut for Zen 4
  kAvx3Bf16,   // the same with BF16 (vdpbf16ps), for Numerics::Fast only
  kNeon,
  kNeonDotProd,  // Armv8.2 SDOT
  kNeonI8mm,     // Armv8.6 USDOT, SMMLA
};

/// The left-hand side of a product, in the form or forms that the weights ask for: float weights read `f32`, quantized
/// weights read `q8`. The form that no weight reads may be empty.
struct Activations {
  MatrixView<float const> f32;  // [rows, cols]
  QuantizedRows q8;             // [rows, cols]

  /// Precondition: whole groups of q8 (quantized_rows.hpp), where it is not empty.
  [[nodiscard]] constexpr Activations slice(std::size_t first, std::size_t count) const {
    return {f32.data ? f32.slice(first, count) : f32, q8.empty() ? q8 : q8.slice(first, count)};
  }
};

/// What a kernel may do for speed.
enum class Numerics : std::uint8_t {
  Exact,  // the numeric contract: the bits of the reference
  Fast,   // the fastest that the CPU has, for products of BF16 and F16 weights: both sides rounded to bfloat16, sums in
          // float. The same bits for any batch, chunks and threads, but not on other kinds of CPU
};

/// What a product does with its result.
enum class Epilogue : std::uint8_t {
  kStore,  // y = w x
  kAdd,    // y = y + w x, one rounding after the product's last
};

/// RoPE's pairing of the components of a head (Su et al., 2021, "RoFormer").
enum class RopeLayout : std::uint8_t {
  kInterleaved,  // (0, 1), (2, 3), ...: Llama in GGUF and llama2.c
  kHalves,       // (0, d/2), (1, d/2 + 1), ...: GPT-NeoX, Qwen
};

/// How a checkpoint stretches RoPE's frequencies beyond the context that the model was first trained for.
enum class RopeScalingKind : std::uint8_t {
  kNone,
  kLinear,  // Chen et al., 2023, "Extending Context Window of Large Language Models via Position Interpolation"
  kLlama3,  // by wavelength, Meta's Llama 3.1
};

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1.0;               // > 0
  double low_freq_factor = 1.0;      // kLlama3: wavelengths above original_context / low are divided by factor,
  double high_freq_factor = 4.0;     // those below original_context / high are kept, between them a blend; low < high
  double original_context = 8192.0;  // tokens
};

/// Element type of a KV cache.
enum class KvElement : std::uint8_t { kF32, kF16 };

constexpr std::size_t size_of(KvElement e) noexcept { return e == KvElement::kF32 ? 4 : 2; }

/// Tokens in one block of a KV cache. Part of the numeric contract: online softmax proceeds block by block.
inline constexpr std::size_t kKvBlock = 32;

/// One block of one head of one layer: keys transposed, so that lanes of a register are tokens when scores are
/// computed; values by token, so that lanes are components when they are summed.
struct KvBlockRef {
  std::byte* k = nullptr;  // [head_dim][kKvBlock]
  std::byte* v = nullptr;  // [kKvBlock][head_dim]
};

/// Attention of consecutive query tokens of one sequence over one KV head, for the `group` query heads that share it.
///
/// For query token r at position first_position + r, over the cached tokens at positions
/// [max(0, position - window + 1), position] (window 0: no lower bound), blocks in index order, per query head:
///   s_t = scale * (sum over d, in index order, of fma(q_d, k_td, .))
///   m' = max(m, max_t s_t); c = exp(m - m'); p_t = exp(s_t - m')
///   l = fma(l, c, sum16_t p_t); o_d = o_d * c, then o_d = fma(p_t, v_td, o_d) for t in index order
/// and at the end o_d = o_d / l. sum16 is the fixed tree of 16 partial sums (reference.hpp).
/// Milakov & Gimelshein, 2018, "Online normalizer calculation for softmax".
struct AttendArgs {
  KvElement element = KvElement::kF32;
  std::size_t head_dim = 0;
  std::size_t group = 1;               // query heads per KV head
  float scale = 1.0F;                  // usually 1 / sqrt(head_dim)
  MatrixView<float const> q;           // [n_tokens, group * head_dim], rotated
  MatrixView<float> out;               // [n_tokens, group * head_dim]
  std::size_t first_position = 0;      // of query token 0, in the sequence
  std::size_t window = 0;              // sliding window in tokens; 0 = none
  std::span<KvBlockRef const> blocks;  // block b holds the tokens at positions [b * kKvBlock, (b + 1) * kKvBlock)
};

/// One instruction set's kernels.
struct KernelTable {
  Target target;
  std::string_view name;  // as the target's in small letters: "reference", "avx3_dl", "neon_i8mm", ...
  bool bit_exact;         // equals the reference to the bit
  /// Rows of quantized activations, at least, that chunks of weights are better multiplied by together.
  std::size_t rows_at_once;
  /// A thread that reads weights for one row takes all but one part in so many of its share at once, then of what is
  /// left. Few, and threads of unequal speed end together; many, and reading seldom begins anew (Zen 4, where each core
  /// reads as if it were alone: Q4_0 by eight streams 8 parts 1.02 to 1.03, 2 parts 0.99 times as fast as one stream by
  /// 2 parts; 16 and 32 parts as 8; Q4_K by one stream 1.01, Q8_0 1.0; sixteen rows 0.985). With 8 parts a core of half
  /// the speed takes 1.3 times as long as it would with 2: for CPUs whose cores are alike. At least 2.
  std::size_t run_parts;

  /// Activations to int8: x to rows [first_row, first_row + x.rows) and columns [first_column, first_column + x.cols)
  /// of out. Precondition: first_column and x.cols are multiples of 32.
  void (*quantize_rows)(MatrixView<float const> x, QuantizedRows const& out, std::size_t first_row,
                        std::size_t first_column) noexcept;

  /// Rows [16 * first_panel, 16 * last_panel) of w, times every row of x: y(r, o) = sum over k of w(o, k) * x(r, k) in
  /// the contract's order. y: [x rows, w.rows]; columns of other panels are not touched. Precondition: x.q8, where
  /// quantized weights read it, has as many rows as y: where a row lies depends on how many there are.
  void (*matmul)(PackedView const& w, std::size_t first_panel, std::size_t last_panel, Activations const& x,
                 MatrixView<float> y, Epilogue epilogue) noexcept;

  /// Row `row` of a packed matrix as float32. out: [w.cols]. For embedding tables.
  void (*embed)(PackedView const& w, std::size_t row, float* out) noexcept;

  /// y = x / sqrt(mean(x^2) + eps) * weight, row by row. x, y: [rows, n]; weight: [n]; y may be x.
  /// Zhang & Sennrich, 2019, "Root Mean Square Layer Normalization".
  void (*rms_norm)(MatrixView<float const> x, std::span<float const> weight, float eps, MatrixView<float> y) noexcept;

  /// inv_freq[i] = base^(-2 i / dim), i in [0, dim / 2), by lamina's own pow.
  void (*rope_frequencies)(double base, std::size_t dim, std::span<double> inv_freq) noexcept;

  /// Scales inv_freq in place. kLinear: f / factor. kLlama3, with wavelength w = 2 pi / f: f / factor where
  /// w > original_context / low, f where w < original_context / high, else with
  /// s = (original_context / w - low) / (high - low): fma(s, f, (1 - s) * (f / factor)).
  void (*rope_scale)(RopeScaling const& scaling, std::span<double> inv_freq) noexcept;

  /// cos and sin of position * inv_freq[i], by lamina's own range reduction and polynomials. [dim / 2] each.
  void (*rope_angles)(std::size_t position, std::span<double const> inv_freq, float* cos, float* sin) noexcept;

  /// Rotates the first 2 * n_pairs components of each head in place. x: [n_heads][head_dim]; cos, sin: [n_pairs].
  void (*rope)(float* x, std::size_t n_heads, std::size_t head_dim, std::size_t n_pairs, float const* cos,
               float const* sin, RopeLayout layout) noexcept;

  /// Writes one token's key and value for one head as token `index` (0 .. kKvBlock - 1) of a block. k, v: [head_dim].
  void (*store_kv)(KvElement element, std::size_t head_dim, float const* k, float const* v, KvBlockRef block,
                   std::size_t index) noexcept;

  /// See AttendArgs.
  void (*attend)(AttendArgs const& args) noexcept;

  /// gate = silu(gate) * up, silu(x) = x / (1 + exp(-x)). [n] each. Shazeer, 2020, "GLU Variants Improve Transformer".
  void (*silu_gate)(std::span<float> gate, std::span<float const> up) noexcept;

  /// x = exp(x - max) / sum(exp(x - max)), in place.
  void (*softmax)(std::span<float> x) noexcept;
};

}  // namespace lamina::inline v0_1
