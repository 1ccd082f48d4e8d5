// What a backend is: the coarse operations in which the decoder speaks, on weights and workspaces of its own.
//
// A backend fuses and splits inside an operation as it likes, within the numeric contract. Cpu (cpu_backend.hpp) is
// the first.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lamina/kernels/kernel_table.hpp"
#include "lamina/model/architecture.hpp"
#include "lamina/model/config.hpp"
#include "lamina/model/weights.hpp"
#include "lamina/model/workspace.hpp"

namespace lamina::inline v0_1 {

/// Attention's constants, the same in each layer.
struct AttentionSpec {
  std::size_t n_heads = 0;
  std::size_t n_kv_heads = 0;
  std::size_t head_dim = 0;
  float scale = 1.0F;
  RopeLayout rope_layout = RopeLayout::kInterleaved;
  KvElement element = KvElement::kF32;  // of the cache
};

/// Which of queries, keys and values an operation is about. In the last layer queries may be of fewer rows: see
/// Decoder::forward.
enum class Qkv : std::uint8_t { kAll, kKeysValues, kQueries };

/// The operations, on the rows of `step`, with the weights of one layer:
///   rotations(inv_freq, step)         cos, sin of each row's position
///   embed(table, step)                x = rows of the table
///   project_qkv<bias>(layer, part, eps, step)  h = norm(x), as products read it; q, k, v, or those of them that `part`
///                                     names, = products of h, plus biases
///   attend(layer, spec, part, step)   of keys and values: rotates k, appends k and v to the blocks; of queries, after
///                                     that: rotates q, attn = attention
///   gather_logit_rows(step)           moves x, cos and sin of step.logit_rows, which ascend, to the front
///   project_add(layer, step)          x = x + attn_output attn
///   gate_up(layer, eps, step)         h = norm(x); gate = silu(gate h) * (up h), in the form that down_add reads
///   down_add(layer, step)             x = x + down gate
///   logits(norm, w, eps, step)        logits = w norm(x) at step.logit_rows; returns the first of those rows that
///                                     holds NaN or infinity, or their number
/// load_matrix(stored, bytes, rows, cols, target, storage), map_matrix(panels) and load_vector(values) bring weights to
/// the backend; storage_for(shapes) makes what loaded matrices lie in side by side, or throws std::bad_alloc. They
/// refer to the memory of a Storage, which stays where it is when the Storage moves; it and mapped panels stay as long
/// as the backend's model. product_format(format): what to load weights of a format as for products in the least time,
/// with the same bits; tables of embeddings stay as they are.
template <class B>
concept Backend =
    requires(B& backend, B const& b, typename B::Matrix const& w, typename B::Vector const& norm, Format format,
             std::span<std::byte const> bytes, PackedView const& panels, std::span<MatrixShape const> shapes,
             typename B::Storage& storage, std::vector<float> const& values, std::size_t n, float eps,
             LayerWeights<typename B::Matrix, typename B::Vector> const& layer, std::span<double const> inv_freq,
             AttentionSpec const& spec, Qkv part, Step& step) {
      { backend.storage_for(shapes) } -> std::same_as<typename B::Storage>;
      { backend.load_matrix(format, bytes, n, n, format, storage) } -> std::same_as<typename B::Matrix>;
      { backend.map_matrix(panels) } -> std::same_as<typename B::Matrix>;
      { backend.load_vector(values) } -> std::same_as<typename B::Vector>;
      { b.product_format(format) } -> std::same_as<Format>;
      { b.kernels() } -> std::same_as<KernelTable const&>;  // those of the host, for what is computed at load
      { b.rotations(inv_freq, step) };
      { b.embed(w, step) };
      { b.template project_qkv<true>(layer, part, eps, step) };
      { b.attend(layer, spec, part, step) };
      { b.gather_logit_rows(step) };
      { b.project_add(layer, step) };
      { b.gate_up(layer, eps, step) };
      { b.down_add(layer, step) };
      { b.logits(norm, w, eps, step) } -> std::same_as<std::size_t>;
    } &&
    std::default_initializable<typename B::Storage> && std::movable<typename B::Storage> &&
    std::constructible_from<typename B::Workspace, ModelConfig const&, WorkspaceOptions const&>;

}  // namespace lamina::inline v0_1
