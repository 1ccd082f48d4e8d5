// Small random models for tests: the same weights on every machine, from integer arithmetic alone.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/io/gguf_writer.hpp"
#include "lamina/quant/formats.hpp"

namespace lamina::test {

/// What a random model is like. The defaults take each path: groups of two heads, rows of panels not full, several
/// blocks of the cache.
struct RandomModel {
  Format format = Format::kF32;
  bool tied = true;
  bool qkv_bias = false;
  std::string architecture = "llama";
  std::uint32_t n_vocab = 107;
  std::uint32_t n_layers = 2;
  std::uint32_t dim = 64;
  std::uint32_t n_heads = 4;
  std::uint32_t n_kv_heads = 2;
  std::uint32_t ffn_dim = 160;
  std::uint32_t n_ctx = 256;
  std::uint32_t seed = 1;
};

/// The same, as wide as the blocks of `format` ask for.
inline RandomModel wide_enough(RandomModel m, Format format) {
  m.dim = static_cast<std::uint32_t>(round_up(m.dim, traits(format).block));
  m.ffn_dim = static_cast<std::uint32_t>(round_up(m.ffn_dim, traits(format).block));
  return m;
}

/// Knuth's MMIX generator, the high bits.
class Lcg {
 public:
  explicit Lcg(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  std::uint32_t next(std::uint32_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 33) % bound;
  }

 private:
  std::uint64_t state_;
};

/// A GGUF file under construction, with the tensors' bytes that it refers to.
struct ModelFile {
  GgufWriter writer;
  std::list<std::vector<std::byte>> data;

  /// rows 0: a vector of cols. Values are `offset` plus multiples of 1/16384 in (-1/4, 1/4): exact in F32 alone.
  void add(std::string const& name, Format format, std::uint64_t rows, std::uint64_t cols, Lcg& random,
           float offset = 0.0F) {
    std::vector<float> values(std::max<std::uint64_t>(rows, 1) * cols);
    for (float& v : values) v = offset + static_cast<float>(static_cast<int>(random.next(8191)) - 4095) / 16384.0F;
    add_values(name, format, rows, cols, values);
  }
  void add_values(std::string const& name, Format format, std::uint64_t rows, std::uint64_t cols,
                  std::span<float const> values) {
    std::vector<std::byte>& bytes = data.emplace_back();
    visit_format(format, [&]<WeightFormat F>() {
      bytes.resize(values.size() / F::kBlock * sizeof(typename F::Block));
      for (std::size_t i = 0; i < values.size() / F::kBlock; ++i) {
        typename F::Block block;
        F::quantize(values.data() + i * F::kBlock, block);
        std::memcpy(bytes.data() + i * sizeof(block), &block, sizeof(block));
      }
    });
    std::vector<std::uint64_t> dims{cols};
    if (rows != 0) dims.push_back(rows);
    writer.add(name, format, dims, bytes);
  }
};

/// Changes a file before it is written: other keys, missing tensors by a name that nobody looks for.
using Edit = std::function<void(GgufWriter&)>;

/// The name under which a tensor is stored; a test renames one to make it missing.
using Rename = std::function<std::string(std::string)>;

inline void describe(ModelFile& file, RandomModel const& m) {
  std::string const p = m.architecture + ".";
  file.writer.set("general.architecture", m.architecture)
      .set(p + "block_count", m.n_layers)
      .set(p + "embedding_length", m.dim)
      .set(p + "feed_forward_length", m.ffn_dim)
      .set(p + "context_length", m.n_ctx)
      .set(p + "attention.head_count", m.n_heads)
      .set(p + "attention.head_count_kv", m.n_kv_heads)
      .set(p + "attention.layer_norm_rms_epsilon", 1e-5F)
      .set(p + "rope.freq_base", 10000.0F);
}

inline void fill(ModelFile& file, RandomModel const& m, Rename const& rename) {
  Lcg random(m.seed);
  std::uint32_t const kv_dim = m.dim / m.n_heads * m.n_kv_heads;
  auto const matrix = [&](std::string const& name, std::uint32_t rows, std::uint32_t cols) {
    file.add(rename(name), m.format, rows, cols, random);
  };
  auto const vector = [&](std::string const& name, std::uint32_t n, float offset) {
    file.add(rename(name), Format::kF32, 0, n, random, offset);
  };
  matrix("token_embd.weight", m.n_vocab, m.dim);
  for (std::uint32_t i = 0; i < m.n_layers; ++i) {
    std::string const b = "blk." + std::to_string(i) + ".";
    vector(b + "attn_norm.weight", m.dim, 1.0F);
    matrix(b + "attn_q.weight", m.dim, m.dim);
    matrix(b + "attn_k.weight", kv_dim, m.dim);
    matrix(b + "attn_v.weight", kv_dim, m.dim);
    if (m.qkv_bias) {
      vector(b + "attn_q.bias", m.dim, 0.0F);
      vector(b + "attn_k.bias", kv_dim, 0.0F);
      vector(b + "attn_v.bias", kv_dim, 0.0F);
    }
    matrix(b + "attn_output.weight", m.dim, m.dim);
    vector(b + "ffn_norm.weight", m.dim, 1.0F);
    matrix(b + "ffn_gate.weight", m.ffn_dim, m.dim);
    matrix(b + "ffn_up.weight", m.ffn_dim, m.dim);
    matrix(b + "ffn_down.weight", m.dim, m.ffn_dim);
  }
  vector("output_norm.weight", m.dim, 1.0F);
  if (!m.tied) matrix("output.weight", m.n_vocab, m.dim);
}

/// Writes the model to a file of its own that is gone once the checkpoint is; opens it.
inline Checkpoint random_checkpoint(
    RandomModel const& m, Edit const& edit = {}, Rename const& rename = [](std::string name) { return name; }) {
  ModelFile file;
  describe(file, m);
  fill(file, m, rename);
  if (edit) edit(file.writer);
  std::string folder = (std::filesystem::temp_directory_path() / "lamina_model_XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  auto const path = std::filesystem::path(folder) / "random.gguf";
  file.writer.write(path);
  auto checkpoint = Checkpoint::open(path);
  std::filesystem::remove_all(folder);  // the mapping keeps the bytes
  return checkpoint;
}

/// n tokens below n_vocab.
inline std::vector<Token> random_tokens(std::size_t n, std::uint32_t n_vocab, std::uint64_t seed = 7) {
  Lcg random(seed);
  std::vector<Token> tokens(n);
  for (Token& t : tokens) t = static_cast<Token>(random.next(n_vocab));
  return tokens;
}

/// The Error that f throws; anything else fails the test.
template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (Error const& error) {
    return error;
  }
  FAIL("no error");
  return {Errc::kIo, ""};
}

/// Whether a message holds a text; for CHECK.
inline bool says(Error const& error, std::string_view text) {
  bool const found = std::string_view(error.what()).find(text) != std::string_view::npos;
  if (!found) MESSAGE("the message is: " << error.what());
  return found;
}

/// Rows of floats as bits, to be compared with ==.
using Bits = std::vector<std::uint32_t>;

inline Bits bits_of(std::span<float const> values) {
  Bits bits(values.size());
  std::memcpy(bits.data(), values.data(), values.size_bytes());
  return bits;
}

/// FNV-1a over the bytes.
inline std::uint64_t fnv1a(Bits const& bits) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::uint32_t const word : bits) {
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ ((word >> shift) & 0xffu)) * 0x100000001b3u;
  }
  return hash;
}

}  // namespace lamina::test
