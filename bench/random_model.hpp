// Random Llama models of named shapes, written as GGUF: for benchmarks, which need the sizes and no sense.
//
// Never holds more than a few MiB of weights. The deviations keep activations near 1 through any number of layers.
// The tokenizer is byte level (the 256 bytes, one merge, fillers up to the vocabulary's size), so that every program
// can run on such a file.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/random_weights.hpp"
#include "lamina/core/error.hpp"
#include "lamina/io/gguf_writer.hpp"
#include "lamina/quant/formats.hpp"

namespace lamina::bench {

/// The dimensions of a Llama model.
struct ModelShape {
  std::string_view name;
  std::size_t dim;
  std::size_t n_layers;
  std::size_t n_heads;
  std::size_t n_kv_heads;
  std::size_t ffn_dim;
  std::size_t n_vocab;
  std::size_t n_ctx;
  bool tied_output;  // the embedding table is the output matrix too

  [[nodiscard]] constexpr std::size_t head_dim() const { return dim / n_heads; }
  [[nodiscard]] constexpr std::size_t kv_dim() const { return n_kv_heads * head_dim(); }
};

/// `tiny` has 1.25 M weights. `1b` is Llama 3.2 1B, `8b` is Llama 3 8B. Columns are multiples of 256 everywhere.
inline constexpr std::array kModelShapes{
    ModelShape{"tiny", 256, 2, 8, 2, 512, 512, 2048, true},
    ModelShape{"1b", 2048, 16, 32, 8, 8192, 128256, 16384, true},
    ModelShape{"8b", 4096, 32, 32, 8, 14336, 128256, 16384, false},
};

/// Throws Error{kInvalidArgument} that lists the shapes.
inline ModelShape const& shape_named(std::string_view name) {
  std::string names;
  for (ModelShape const& shape : kModelShapes) {
    if (shape.name == name) return shape;
    names.append(names.empty() ? "" : ", ").append(shape.name);
  }
  fail(Errc::kInvalidArgument, "shape '", name, "' is unknown; there are: ", names);
}

/// A tensor to be drawn.
struct RandomTensor {
  std::string name;
  Format format;
  std::vector<std::uint64_t> dims;  // GGUF order: dims[0] = columns
  float mean;
  float deviation;

  [[nodiscard]] std::uint64_t elements() const {
    std::uint64_t n = 1;
    for (std::uint64_t const d : dims) n *= d;
    return n;
  }
};

/// All tensors of the shape, in the order of the file; the matrices in `format`, the norms in F32.
inline std::vector<RandomTensor> random_tensors(ModelShape const& shape, Format format) {
  std::vector<RandomTensor> tensors;
  // A row of deviation 1 / sqrt(columns) turns activations of deviation 1 into outputs of deviation 1.
  auto const matrix = [&](std::string name, std::size_t rows, std::size_t cols, float gain = 1.0F) {
    tensors.push_back({std::move(name), format, {cols, rows}, 0.0F, gain / std::sqrt(static_cast<float>(cols))});
  };
  auto const norm = [&](std::string name) {
    tensors.push_back({std::move(name), Format::kF32, {shape.dim}, 1.0F, 0.05F});
  };
  // What is added to the residual stream is added 2 * n_layers times.
  float const residual_gain = 1.0F / std::sqrt(2.0F * static_cast<float>(shape.n_layers));

  matrix("token_embd.weight", shape.n_vocab, shape.dim);
  for (std::size_t layer = 0; layer < shape.n_layers; ++layer) {
    std::string const block = "blk." + std::to_string(layer) + ".";
    norm(block + "attn_norm.weight");
    matrix(block + "attn_q.weight", shape.dim, shape.dim);
    matrix(block + "attn_k.weight", shape.kv_dim(), shape.dim);
    matrix(block + "attn_v.weight", shape.kv_dim(), shape.dim);
    matrix(block + "attn_output.weight", shape.dim, shape.dim, residual_gain);
    norm(block + "ffn_norm.weight");
    matrix(block + "ffn_gate.weight", shape.ffn_dim, shape.dim);
    matrix(block + "ffn_up.weight", shape.ffn_dim, shape.dim);
    matrix(block + "ffn_down.weight", shape.dim, shape.ffn_dim, residual_gain);
  }
  norm("output_norm.weight");
  if (!shape.tied_output) matrix("output.weight", shape.n_vocab, shape.dim);
  return tensors;
}

/// The file's vocabulary: id 0 .. 255 are the bytes in GPT-2's printable form, then "Ġt" (the one merge), the two
/// special tokens, and fillers.
struct ByteVocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;  // llama.cpp's numbers: 1 normal, 3 control
  std::vector<std::string> merges;
  std::uint32_t bos;
  std::uint32_t eos;
};

namespace detail {

/// The character that stands for a byte in GPT-2's vocabulary (Radford et al., 2019, encoder.py): printable Latin-1 is
/// itself, the others are U+0100 and up, in order.
inline std::string printable(unsigned byte, unsigned& n_others) {
  bool const is_itself = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
  unsigned const code = is_itself ? byte : 0x100 + n_others++;
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

}  // namespace detail

/// Precondition: n_vocab >= 259.
inline ByteVocabulary byte_vocabulary(std::size_t n_vocab) {
  ByteVocabulary vocabulary{{}, std::vector<std::int32_t>(n_vocab, 1), {}, 257, 258};
  auto& tokens = vocabulary.tokens;
  unsigned n_others = 0;
  for (unsigned byte = 0; byte < 256; ++byte) tokens.push_back(detail::printable(byte, n_others));
  tokens.push_back(tokens[' '] + "t");
  vocabulary.merges.push_back(tokens[' '] + " t");
  for (std::string_view special : {"<|begin_of_text|>", "<|end_of_text|>"}) {
    vocabulary.types[tokens.size()] = 3;
    tokens.emplace_back(special);
  }
  for (std::size_t n = 0; tokens.size() < n_vocab; ++n) tokens.push_back("<filler_" + std::to_string(n) + ">");
  return vocabulary;
}

namespace detail {

inline void set_metadata(GgufWriter& writer, ModelShape const& shape, Format format, std::uint64_t seed) {
  auto const u32 = [](std::size_t n) { return static_cast<std::uint32_t>(n); };
  std::string const name = "random " + std::string(shape.name) + " " + std::string(traits(format).name) + ", seed " +
                           std::to_string(seed) + ": random weights, makes no sense";
  writer.set("general.architecture", "llama")
      .set("general.name", name)
      .set("general.quantization_version", std::uint32_t{2})
      .set("llama.vocab_size", u32(shape.n_vocab))
      .set("llama.context_length", u32(shape.n_ctx))
      .set("llama.embedding_length", u32(shape.dim))
      .set("llama.block_count", u32(shape.n_layers))
      .set("llama.feed_forward_length", u32(shape.ffn_dim))
      .set("llama.attention.head_count", u32(shape.n_heads))
      .set("llama.attention.head_count_kv", u32(shape.n_kv_heads))
      .set("llama.attention.layer_norm_rms_epsilon", 1e-5F)
      .set("llama.rope.dimension_count", u32(shape.head_dim()))
      .set("llama.rope.freq_base", 500000.0F);

  ByteVocabulary const vocabulary = byte_vocabulary(shape.n_vocab);
  writer.set("tokenizer.ggml.model", "gpt2")
      .set("tokenizer.ggml.pre", "llama-bpe")
      .set("tokenizer.ggml.tokens", vocabulary.tokens)
      .set("tokenizer.ggml.token_type", vocabulary.types)
      .set("tokenizer.ggml.merges", vocabulary.merges)
      .set("tokenizer.ggml.bos_token_id", vocabulary.bos)
      .set("tokenizer.ggml.eos_token_id", vocabulary.eos)
      .set("tokenizer.ggml.add_bos_token", true);
}

/// The tensor's data, in pieces of about a MiB: whole blocks of any format.
inline TensorSource random_source(RandomTensor const& tensor, std::uint64_t seed) {
  std::uint64_t const n_bytes = tensor.elements() / traits(tensor.format).block * traits(tensor.format).block_bytes;
  return [=, format = tensor.format, mean = tensor.mean, deviation = tensor.deviation](ByteSink sink) {
    RandomWeights weights(format, mean, deviation, seed);
    std::vector<std::byte> piece(traits(format).block_bytes << 15);
    for (std::uint64_t left = n_bytes; left != 0;) {
      auto const n = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
      weights.next(std::span(piece).first(n));
      sink(std::span(piece).first(n));
      left -= n;
    }
  };
}

}  // namespace detail

/// Writes the model as one GGUF file; equal arguments give equal bytes. Throws what GgufWriter::write throws, and
/// Error{kUnsupported} for a format that has no random weights yet.
inline void write_random_model(ModelShape const& shape, Format format, std::filesystem::path const& path,
                               std::uint64_t seed = 1) {
  GgufWriter writer;
  detail::set_metadata(writer, shape, format, seed);
  SplitMix seeds(seed);
  for (RandomTensor& tensor : random_tensors(shape, format)) {
    TensorSource source = detail::random_source(tensor, seeds());
    writer.add(std::move(tensor.name), tensor.format, std::move(tensor.dims), std::move(source));
  }
  writer.write(path);
}

}  // namespace lamina::bench
