// What a model family is, as data: a struct of constants that the decoder interprets with `if constexpr`.
//
// To add a family, write a struct like Llama (llama.hpp) and name it in AnyModel (any_model.hpp); where it needs
// something that no family had so far, give the enum here a value and the decoder its branch.
#pragma once

#include <concepts>
#include <string_view>

namespace lamina::inline v0_1 {

/// Normalization before attention, before the FFN and before the output.
enum class Norm {
  Rms,  // Zhang & Sennrich, 2019
};

/// How RoPE pairs the components of a head.
enum class Rope {
  Interleaved,  // (0, 1), (2, 3), ...: Llama as GGUF stores it
  Halves,       // (0, d/2), (1, d/2 + 1), ...: GPT-NeoX, Qwen
};

/// The feed-forward network.
enum class Ffn {
  SwiGlu,  // down(silu(gate x) * up x). Shazeer, 2020
};

/// Where a family's weights lie in a checkpoint. Tensors of layer N are named "blk.N.<name>.weight" (and ".bias").
struct TensorNames {
  std::string_view embedding = "token_embd.weight";     // [n_vocab, dim]
  std::string_view output_norm = "output_norm.weight";  // [dim]
  std::string_view output = "output.weight";            // [n_vocab, dim]; absent: the embedding is used (tied)
  std::string_view rope_factors = "rope_freqs.weight";  // [rope_dim / 2] divisors of RoPE's frequencies; may be absent
  std::string_view attn_norm = "attn_norm";             // [dim]
  std::string_view attn_q = "attn_q";                   // [n_heads * head_dim, dim]
  std::string_view attn_k = "attn_k";                   // [n_kv_heads * head_dim, dim]
  std::string_view attn_v = "attn_v";                   // [n_kv_heads * head_dim, dim]
  std::string_view attn_output = "attn_output";         // [dim, n_heads * head_dim]
  std::string_view ffn_norm = "ffn_norm";               // [dim]
  std::string_view ffn_gate = "ffn_gate";               // [ffn_dim, dim]
  std::string_view ffn_up = "ffn_up";                   // [ffn_dim, dim]
  std::string_view ffn_down = "ffn_down";               // [dim, ffn_dim]
};

/// A model family.
template <class A>
concept Architecture = requires {
  { A::name } -> std::convertible_to<std::string_view>;  // `general.architecture`, and the prefix of its keys
  { A::norm } -> std::convertible_to<Norm>;
  { A::rope } -> std::convertible_to<Rope>;
  { A::ffn } -> std::convertible_to<Ffn>;
  { A::qkv_bias } -> std::convertible_to<bool>;  // q, k and v have a bias vector
  { A::tensors } -> std::convertible_to<TensorNames>;
};

}  // namespace lamina::inline v0_1
