// Reads llama2.c checkpoints (karpathy/llama2.c, export.py, version 0) as if they were GGUF: same keys, same names.
//
// Layout, little endian, no padding:
//   int32: dim  hidden_dim  n_layers  n_heads  n_kv_heads  vocab_size  seq_len
//   float32, each family for all layers before the next one:
//   token embedding [vocab, dim]
//   attention norm [dim]   q [dim, dim]   k, v [kv_dim, dim]   output [dim, dim]
//   ffn norm [dim]   gate (w1) [hidden, dim]   down (w2) [dim, hidden]   up (w3) [hidden, dim]
//   output norm [dim]   cos, sin tables [seq_len, head_dim / 2], not used
//   output projection [vocab, dim], only where vocab_size is negative; else the embedding is used again
// The rows of q and k are in the order of interleaved RoPE, as they are in the GGUF files of the llama architecture.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/metadata_builder.hpp"
#include "lamina/io/tensor_info.hpp"

namespace lamina::inline v0_1::detail {

struct Llama2cHeader {
  std::uint64_t dim, hidden_dim, n_layers, n_heads, n_kv_heads, n_vocab, n_context;
  bool tied;  // the output projection is the token embedding

  [[nodiscard]] std::uint64_t head_dim() const noexcept { return dim / n_heads; }
  [[nodiscard]] std::uint64_t kv_dim() const noexcept { return head_dim() * n_kv_heads; }
};

/// Throws Error{kCorrupt} for a field that is not positive or contradicts another.
inline Llama2cHeader read_llama2c_header(ByteReader& reader) {
  constexpr std::array<std::string_view, 7> kFields = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                                       "n_kv_heads", "vocab_size", "seq_len"};
  std::array<std::int64_t, 7> fields{};
  reader.subject("llama2.c header");
  for (std::size_t i = 0; i < fields.size(); ++i) fields[i] = reader.read<std::int32_t>(kFields[i]);
  bool const tied = fields[5] > 0;
  fields[5] = std::abs(fields[5]);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i] <= 0) reader.fail_here(Errc::kCorrupt, kFields[i], " is ", fields[i]);
  }
  auto const field = [&](std::size_t i) { return static_cast<std::uint64_t>(fields[i]); };
  Llama2cHeader const h{field(0), field(1), field(2), field(3), field(4), field(5), field(6), tied};
  if (h.dim % h.n_heads != 0 || h.head_dim() % 2 != 0 || h.n_heads % h.n_kv_heads != 0) {
    reader.fail_here(Errc::kCorrupt, "dim ", h.dim, ", n_heads ", h.n_heads, " and n_kv_heads ", h.n_kv_heads,
                     " do not divide into heads of even size");
  }
  return h;
}

/// Cuts the file into tensors from front to back.
class Llama2cCutter {
 public:
  explicit Llama2cCutter(ByteReader& reader) : reader_(reader) {}

  void one(std::string name, std::vector<std::uint64_t> dims) {
    auto const bytes = take(name, dims, 1);
    tensors_.push_back({std::move(name), Format::kF32, std::move(dims), bytes});
  }

  /// The same tensor of all layers: blk.0.NAME, blk.1.NAME, ...
  void layers(std::uint64_t n_layers, std::string const& name, std::vector<std::uint64_t> const& dims) {
    auto const bytes = take(name, dims, n_layers);
    auto const each = bytes.size() / static_cast<std::size_t>(n_layers);
    for (std::size_t i = 0; i < n_layers; ++i) {
      tensors_.push_back({"blk." + std::to_string(i) + "." + name, Format::kF32, dims, bytes.subspan(i * each, each)});
    }
  }

  void skip(std::string const& name, std::vector<std::uint64_t> const& dims) { take(name, dims, 1); }

  std::vector<TensorInfo> finish() {
    reader_.subject({});
    if (reader_.remaining() != 0) {
      reader_.fail_here(Errc::kCorrupt, "a llama2.c checkpoint of this shape ends here, the file has ",
                        reader_.remaining(), " bytes more");
    }
    return std::move(tensors_);
  }

 private:
  std::span<std::byte const> take(std::string const& name, std::vector<std::uint64_t> const& dims, std::uint64_t n) {
    reader_.subject("tensor", name);
    auto const each = tensor_bytes(Format::kF32, dims);
    auto const all = each ? checked_mul(*each, n) : std::nullopt;
    if (!all) reader_.fail_here(Errc::kCorrupt, n, " tensors of shape ", shape_text(dims), " overflow");
    return reader_.take(*all, "data");
  }

  ByteReader& reader_;
  std::vector<TensorInfo> tensors_;
};

inline std::vector<TensorInfo> cut_llama2c(ByteReader& reader, Llama2cHeader const& h) {
  Llama2cCutter cut(reader);
  cut.one("token_embd.weight", {h.dim, h.n_vocab});
  cut.layers(h.n_layers, "attn_norm.weight", {h.dim});
  cut.layers(h.n_layers, "attn_q.weight", {h.dim, h.dim});
  cut.layers(h.n_layers, "attn_k.weight", {h.dim, h.kv_dim()});
  cut.layers(h.n_layers, "attn_v.weight", {h.dim, h.kv_dim()});
  cut.layers(h.n_layers, "attn_output.weight", {h.dim, h.dim});
  cut.layers(h.n_layers, "ffn_norm.weight", {h.dim});
  cut.layers(h.n_layers, "ffn_gate.weight", {h.dim, h.hidden_dim});
  cut.layers(h.n_layers, "ffn_down.weight", {h.hidden_dim, h.dim});
  cut.layers(h.n_layers, "ffn_up.weight", {h.dim, h.hidden_dim});
  cut.one("output_norm.weight", {h.dim});
  cut.skip("freq_cis_real", {h.head_dim() / 2, h.n_context});
  cut.skip("freq_cis_imag", {h.head_dim() / 2, h.n_context});
  if (!h.tied) cut.one("output.weight", {h.dim, h.n_vocab});
  return cut.finish();
}

/// run.c fixes the RoPE base at 10000 and the norm's epsilon at 1e-5; the file does not hold them.
inline Metadata llama2c_metadata(Llama2cHeader const& h, std::string source) {
  auto const u32 = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  return MetadataBuilder{}
      .set("general.architecture", "llama")
      .set("llama.vocab_size", u32(h.n_vocab))
      .set("llama.context_length", u32(h.n_context))
      .set("llama.embedding_length", u32(h.dim))
      .set("llama.block_count", u32(h.n_layers))
      .set("llama.feed_forward_length", u32(h.hidden_dim))
      .set("llama.attention.head_count", u32(h.n_heads))
      .set("llama.attention.head_count_kv", u32(h.n_kv_heads))
      .set("llama.attention.layer_norm_rms_epsilon", 1e-5f)
      .set("llama.rope.dimension_count", u32(h.head_dim()))
      .set("llama.rope.freq_base", 10000.0f)
      .build(std::move(source));
}

inline CheckpointContents read_llama2c(std::span<std::byte const> bytes, std::string source) {
  ByteReader reader(bytes, source);
  Llama2cHeader const header = read_llama2c_header(reader);
  auto tensors = cut_llama2c(reader, header);
  return {llama2c_metadata(header, std::move(source)), std::move(tensors)};
}

}  // namespace lamina::inline v0_1::detail
