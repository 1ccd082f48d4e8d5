// A model's dimensions and constants, read from checkpoint metadata and checked against each other.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lamina/cache/kv_cache.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/kernels/kernel_table.hpp"
#include "lamina/model/architecture.hpp"

namespace lamina::inline v0_1 {

struct ModelConfig {
  std::string source;           // the file, as Checkpoint::source() names it; for messages
  std::string architecture;     // "llama"
  std::size_t n_vocab = 0;      // rows of the embedding
  std::size_t n_layers = 0;     // decoder blocks
  std::size_t dim = 0;          // components of the residual stream
  std::size_t n_heads = 0;      // query heads
  std::size_t n_kv_heads = 0;   // divides n_heads
  std::size_t head_dim = 0;     // components of one head's q, k and v
  std::size_t ffn_dim = 0;      // components between gate/up and down
  std::size_t n_ctx_train = 0;  // tokens that the model was trained for
  std::size_t rope_dim = 0;     // leading components of a head that are rotated; even, <= head_dim
  double rope_base = 10000.0;   // RoPE's theta
  RopeScaling rope_scaling;     // of RoPE's frequencies
  float norm_eps = 1e-5F;       // added to the mean square

  [[nodiscard]] constexpr std::size_t q_dim() const noexcept { return n_heads * head_dim; }
  [[nodiscard]] constexpr std::size_t kv_dim() const noexcept { return n_kv_heads * head_dim; }
  /// Query heads that share one KV head.
  [[nodiscard]] constexpr std::size_t group() const noexcept { return n_heads / n_kv_heads; }
  [[nodiscard]] constexpr KvShape kv_shape() const noexcept { return {n_layers, n_kv_heads, head_dim}; }
};

/// Reads and checks a checkpoint's configuration for a model family. Throws Error that names file and key: kMissing,
/// kCorrupt for a value of another type, kShape for dimensions that contradict each other, kUnsupported for another
/// architecture and for mixtures of experts.
ModelConfig read_config(Checkpoint const& checkpoint, std::string_view architecture, TensorNames const& tensors);

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/model/config_impl.hpp"
#endif
