// How a configuration is read and checked. See compiled.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/model/architecture.hpp"
#include "lamina/model/config.hpp"
#include "lamina/model/rope_scaling.hpp"

namespace lamina::inline v0_1 {

namespace detail {

/// Reads "<architecture>.<name>" keys, with errors that name file and key.
class ConfigReader {
 public:
  ConfigReader(Metadata const& metadata, std::string_view architecture)
      : metadata_(metadata), prefix_(std::string(architecture) + ".") {}

  [[nodiscard]] std::string key(std::string_view name) const { return prefix_ + std::string(name); }

  /// A dimension: 1 .. 2^24. Larger ones exist in no model; the limit keeps every product of two within 64 bits.
  [[nodiscard]] std::size_t dimension(std::string_view name) const {
    return checked(name, metadata_.require<std::uint64_t>(key(name)));
  }
  [[nodiscard]] std::size_t dimension_or(std::string_view name, std::size_t fallback) const {
    auto const value = metadata_.get<std::uint64_t>(key(name));
    return value ? checked(name, *value) : fallback;
  }
  [[nodiscard]] double positive_or(std::string_view name, double fallback) const {
    double const value = metadata_.get<double>(key(name)).value_or(fallback);
    // Header-only it must hold under a host's -ffast-math too, which would fold std::isfinite.
    if (!(value > 0.0 && value <= std::numeric_limits<float>::max())) {
      refuse(name, value, "expected a positive number");
    }
    return value;
  }
  template <class T>
  [[noreturn]] void refuse(std::string_view name, T const& value, std::string_view expected) const {
    fail(Errc::kShape, metadata_.source(), ": key '", key(name), "' is ", value, ", ", expected);
  }
  [[nodiscard]] Metadata const& metadata() const noexcept { return metadata_; }

 private:
  static constexpr std::uint64_t kMaxDimension = std::uint64_t{1} << 24;

  [[nodiscard]] std::size_t checked(std::string_view name, std::uint64_t value) const {
    if (value == 0 || value > kMaxDimension) refuse(name, value, "expected 1 to 16777216");
    return static_cast<std::size_t>(value);
  }

  Metadata const& metadata_;
  std::string prefix_;
};

/// The vocabulary's size is the embedding's; the tokenizer and `vocab_size` must agree with it.
inline std::size_t read_vocabulary_size(Checkpoint const& checkpoint, ConfigReader const& reader,
                                        std::string_view embedding_name) {
  TensorInfo const& embedding = checkpoint.tensor(embedding_name);
  if (embedding.dims.size() != 2 || embedding.dims[1] == 0 ||
      embedding.dims[1] > static_cast<std::uint64_t>(std::numeric_limits<Token>::max())) {
    fail(Errc::kShape, checkpoint.source(), ": tensor '", embedding_name, "' is no matrix of [n_vocab, dim]");
  }
  auto const n_vocab = static_cast<std::size_t>(embedding.dims[1]);
  auto const agree = [&](std::string_view key, std::uint64_t count) {
    if (count == n_vocab) return;
    fail(Errc::kShape, checkpoint.source(), ": key '", key, "' says ", count, " tokens, tensor '", embedding_name,
         "' has ", n_vocab);
  };
  Metadata const& metadata = checkpoint.metadata();
  std::string const size_key = reader.key("vocab_size");
  if (auto const size = metadata.get<std::uint64_t>(size_key)) agree(size_key, *size);
  if (auto const tokens = metadata.array("tokenizer.ggml.tokens")) agree("tokenizer.ggml.tokens", tokens->size());
  return n_vocab;
}

inline void check_heads(ModelConfig const& c, ConfigReader const& reader) {
  if (c.n_heads % c.n_kv_heads != 0) {
    reader.refuse("attention.head_count_kv", c.n_kv_heads, "expected a divisor of the number of heads");
  }
  if (c.rope_dim > c.head_dim || c.rope_dim % 2 != 0) {
    reader.refuse("rope.dimension_count", c.rope_dim, "expected an even number up to the head dimension");
  }
  // 2^24 * 2^24 fits; the sum of a batch's rows is checked where a workspace is made.
  if (auto const values = reader.dimension_or("attention.value_length", c.head_dim); values != c.head_dim) {
    reader.refuse("attention.value_length", values, "expected the same as attention.key_length");
  }
}

}  // namespace detail

LAMINA_INLINE ModelConfig read_config(Checkpoint const& checkpoint, std::string_view architecture,
                                      TensorNames const& tensors) {
  Metadata const& metadata = checkpoint.metadata();
  auto const found = metadata.require<std::string_view>("general.architecture");
  if (found != architecture) {
    fail(Errc::kUnsupported, checkpoint.source(), ": key 'general.architecture' is '", detail::printable(found),
         "', this model is '", architecture, "'");
  }
  detail::ConfigReader const reader(metadata, architecture);
  if (auto const experts = metadata.get<std::uint64_t>(reader.key("expert_count")).value_or(0); experts != 0) {
    fail(Errc::kUnsupported, checkpoint.source(), ": key '", reader.key("expert_count"), "' is ", experts,
         "; mixtures of experts are not supported");
  }
  ModelConfig c;
  c.source = checkpoint.source();
  c.architecture = architecture;
  c.n_layers = reader.dimension("block_count");
  c.dim = reader.dimension("embedding_length");
  c.ffn_dim = reader.dimension("feed_forward_length");
  c.n_ctx_train = reader.dimension("context_length");
  c.n_heads = reader.dimension("attention.head_count");
  c.n_kv_heads = reader.dimension_or("attention.head_count_kv", c.n_heads);
  bool const has_head_dim = metadata.contains(reader.key("attention.key_length"));
  if (!has_head_dim && c.dim % c.n_heads != 0) {
    reader.refuse("attention.head_count", c.n_heads, "expected a divisor of the embedding length");
  }
  c.head_dim = has_head_dim ? reader.dimension("attention.key_length") : c.dim / c.n_heads;
  c.rope_dim = reader.dimension_or("rope.dimension_count", c.head_dim);
  c.rope_base = reader.positive_or("rope.freq_base", c.rope_base);
  c.rope_scaling = read_rope_scaling(metadata, architecture, c.n_ctx_train);
  c.norm_eps = static_cast<float>(reader.positive_or("attention.layer_norm_rms_epsilon", 1e-5));
  detail::check_heads(c, reader);
  c.n_vocab = detail::read_vocabulary_size(checkpoint, reader, tensors.embedding);
  return c;
}

}  // namespace lamina::inline v0_1
