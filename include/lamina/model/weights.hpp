// A decoder's weights as a backend holds them, and their way there from a checkpoint: checked, converted, packed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/model/architecture.hpp"
#include "lamina/model/config.hpp"
#include "lamina/quant/quantizer.hpp"

namespace lamina::inline v0_1 {

/// A matrix that will be loaded.
struct MatrixShape {
  Format format;  // to load it as
  std::size_t rows, cols;
};

/// Weights of one decoder block. Matrix and Vector are the backend's.
template <class Matrix, class Vector>
struct LayerWeights {
  Vector attn_norm;               // [dim]
  Matrix q, k, v;                 // [q_dim, dim], [kv_dim, dim], [kv_dim, dim]
  Vector q_bias, k_bias, v_bias;  // [q_dim], [kv_dim], [kv_dim]; only where Arch::qkv_bias
  Matrix attn_output;             // [dim, q_dim]
  Vector ffn_norm;                // [dim]
  Matrix gate, up;                // [ffn_dim, dim]
  Matrix down;                    // [dim, ffn_dim]
};

/// Storage, Matrix and Vector are the backend's.
template <class Storage, class Matrix, class Vector>
struct DecoderWeights {
  Storage storage;                                   // of the matrices
  Matrix embedding;                                  // [n_vocab, dim]
  std::vector<LayerWeights<Matrix, Vector>> layers;  // [n_layers]
  Vector output_norm;                                // [dim]
  std::optional<Matrix> own_output;                  // [n_vocab, dim]; absent where the embedding serves (tied)
  std::vector<float> rope_divisors;                  // [rope_dim / 2] or empty
  std::optional<Checkpoint> file;                    // where panels lie in it

  [[nodiscard]] Matrix const& output() const noexcept { return own_output ? *own_output : embedding; }
};

/// Called during load, on the loading thread, with the weights done and the weights in all; may throw to end the load.
using LoadProgress = std::function<void(std::size_t done, std::size_t total)>;

namespace detail {

/// A tensor, checked to have the shape [rows, cols]; rows 0 means a vector of cols.
inline TensorInfo const& checked_tensor(Checkpoint const& checkpoint, std::string_view name, std::size_t rows,
                                        std::size_t cols) {
  TensorInfo const& tensor = checkpoint.tensor(name);
  auto const& dims = tensor.dims;
  bool const same =
      rows == 0 ? dims.size() == 1 && dims[0] == cols : dims.size() == 2 && dims[0] == cols && dims[1] == rows;
  if (!same) {
    fail(Errc::kShape, checkpoint.source(), ": tensor '", name, "' has the shape ", shape_text(dims), ", expected [",
         cols, rows == 0 ? "" : ", " + std::to_string(rows), "]");
  }
  return tensor;
}

/// A vector of any format as float32.
inline std::vector<float> read_vector(Checkpoint const& checkpoint, std::string_view name, std::size_t n) {
  TensorInfo const& tensor = checked_tensor(checkpoint, name, 0, n);
  std::vector<float> out(n);
  visit_format(tensor.format, [&]<WeightFormat F>() {
    auto const* blocks = reinterpret_cast<typename F::Block const*>(tensor.bytes.data());
    for (std::size_t i = 0; i < n / F::kBlock; ++i) F::dequantize(blocks[i], out.data() + i * F::kBlock);
  });
  return out;
}

/// Takes a checkpoint's tensors to a backend one by one. `choose` is Quantizer::choose or its like at run time.
template <class B, class Choose>
class WeightLoader {
 public:
  using Matrix = typename B::Matrix;
  using Vector = typename B::Vector;

  WeightLoader(Checkpoint const& checkpoint, B& backend, Choose choose, LoadProgress const& progress)
      : checkpoint_(checkpoint), backend_(backend), choose_(std::move(choose)), progress_(progress) {
    for (TensorInfo const& tensor : checkpoint.tensors()) total_ += weights_of(tensor);
  }

  /// Room for all matrices in one place, by the names under which they will be loaded, as far as there are such.
  void reserve(std::string_view table, std::span<std::string const> matrices) {
    std::vector<MatrixShape> shapes;
    auto const add = [&](std::string_view name, auto const& packed_as) {
      TensorInfo const* const tensor = checkpoint_.find(name);
      if (tensor == nullptr || tensor->packed || tensor->dims.size() != 2) return;
      auto const cols = static_cast<std::size_t>(tensor->dims[0]);
      auto const rows = static_cast<std::size_t>(tensor->dims[1]);
      shapes.push_back({packed_as(choose_(tensor->format, rows, cols)), rows, cols});
    };
    add(table, as_chosen);
    for (std::string const& name : matrices) add(name, as_product());
    try {
      storage_ = backend_.storage_for(shapes);
    } catch (std::bad_alloc const&) {
      fail(Errc::kInvalidArgument, checkpoint_.source(), ": no memory for its ", shapes.size(), " matrices");
    }
  }

  /// For products. Panels stay in the file. Of anything else the file's pages are given back once packed, so that the
  /// weights are in memory once.
  Matrix matrix(std::string_view name, std::size_t rows, std::size_t cols) {
    return load(name, rows, cols, as_product());
  }

  /// The same for a matrix whose rows are looked up.
  Matrix table(std::string_view name, std::size_t rows, std::size_t cols) { return load(name, rows, cols, as_chosen); }

  /// What the matrices lie in, once all are loaded.
  typename B::Storage storage() { return std::move(storage_); }

  Vector vector(std::string_view name, std::size_t n) {
    Vector loaded = backend_.load_vector(read_vector(checkpoint_, name, n));
    report(checkpoint_.tensor(name));
    return loaded;
  }

 private:
  static Format as_chosen(Format chosen) noexcept { return chosen; }
  [[nodiscard]] auto as_product() const noexcept {
    return [this](Format chosen) { return backend_.product_format(chosen); };
  }
  static std::size_t weights_of(TensorInfo const& tensor) noexcept {
    std::size_t n = 1;  // fits: the bytes lie in the file
    for (std::uint64_t const d : tensor.dims) n *= static_cast<std::size_t>(d);
    return n;
  }
  /// `packed_as`: the format to pack in, of the one that was chosen.
  template <class PackedAs>
  Matrix load(std::string_view name, std::size_t rows, std::size_t cols, PackedAs packed_as) {
    TensorInfo const& tensor = checked_tensor(checkpoint_, name, rows, cols);
    Format const chosen = choose_(tensor.format, rows, cols);
    Matrix matrix = tensor.packed ? map(tensor, rows, cols, chosen) : pack(tensor, rows, cols, packed_as(chosen));
    if (!tensor.packed) checkpoint_.discard(tensor);
    report(tensor);
    return matrix;
  }
  Matrix map(TensorInfo const& tensor, std::size_t rows, std::size_t cols, Format target) {
    if (target != tensor.format) {
      fail(Errc::kUnsupported, checkpoint_.source(), ": tensor '", tensor.name, "' is packed as ",
           traits(tensor.format).name, ": to have it as ", traits(target).name,
           ", convert the file it was packed from");
    }
    auto panels = packed_view(tensor.format, rows, cols).value_or(PackedView{});  // the reader has checked that it is
    panels.data = tensor.bytes.data();
    return backend_.map_matrix(panels);
  }
  Matrix pack(TensorInfo const& tensor, std::size_t rows, std::size_t cols, Format target) {
    try {
      return backend_.load_matrix(tensor.format, tensor.bytes, rows, cols, target, storage_);
    } catch (std::bad_alloc const&) {
      fail(Errc::kInvalidArgument, checkpoint_.source(), ": tensor '", tensor.name, "': no memory for ", rows, " by ",
           cols, " weights as ", traits(target).name);
    } catch (Error const& e) {
      fail(e.code(), checkpoint_.source(), ": tensor '", tensor.name, "': ", e.what());
    }
  }
  void report(TensorInfo const& tensor) {
    done_ += weights_of(tensor);
    if (progress_) progress_(done_, total_);
  }

  Checkpoint const& checkpoint_;
  B& backend_;
  Choose choose_;
  LoadProgress const& progress_;
  typename B::Storage storage_;
  std::size_t done_ = 0;
  std::size_t total_ = 0;
};

}  // namespace detail

namespace detail {

inline std::string layer_tensor(std::size_t layer, std::string_view part, std::string_view suffix) {
  return "blk." + std::to_string(layer) + "." + std::string(part) + std::string(suffix);
}

/// Names of the matrices of a decoder but for its embedding, of as many layers as the file has.
inline std::vector<std::string> product_matrices(Checkpoint const& checkpoint, TensorNames const& names,
                                                 std::size_t n_layers) {
  std::vector<std::string> all{std::string(names.output)};
  for (std::size_t i = 0; i < n_layers; ++i) {
    if (checkpoint.find(layer_tensor(i, names.attn_q, ".weight")) == nullptr) break;
    for (std::string_view const part :
         {names.attn_q, names.attn_k, names.attn_v, names.attn_output, names.ffn_gate, names.ffn_up, names.ffn_down}) {
      all.push_back(layer_tensor(i, part, ".weight"));
    }
  }
  return all;
}

}  // namespace detail

/// Reads a decoder's weights into a backend. Throws Error that names file and tensor: kMissing, kShape, and
/// kUnsupported where `choose` wants another format for a matrix that the file has packed.
template <Architecture Arch, class B, class Choose>
auto load_weights(Checkpoint const& checkpoint, ModelConfig const& c, B& backend, Choose choose,
                  LoadProgress const& progress) {
  constexpr TensorNames kNames = Arch::tensors;
  detail::WeightLoader<B, Choose> loader(checkpoint, backend, std::move(choose), progress);
  DecoderWeights<typename B::Storage, typename B::Matrix, typename B::Vector> w;
  if (std::ranges::any_of(checkpoint.tensors(), &TensorInfo::packed)) w.file = checkpoint;
  loader.reserve(kNames.embedding, detail::product_matrices(checkpoint, kNames, c.n_layers));
  w.embedding = loader.table(kNames.embedding, c.n_vocab, c.dim);
  // Grown as tensors are found: a file that promises a million layers fails at the first missing one.
  for (std::size_t i = 0; i < c.n_layers; ++i) {
    auto const name = [&](std::string_view part, std::string_view suffix) {
      return detail::layer_tensor(i, part, suffix);
    };
    auto const matrix = [&](std::string_view part, std::size_t rows, std::size_t cols) {
      return loader.matrix(name(part, ".weight"), rows, cols);
    };
    auto& layer = w.layers.emplace_back();
    layer.attn_norm = loader.vector(name(kNames.attn_norm, ".weight"), c.dim);
    layer.q = matrix(kNames.attn_q, c.q_dim(), c.dim);
    layer.k = matrix(kNames.attn_k, c.kv_dim(), c.dim);
    layer.v = matrix(kNames.attn_v, c.kv_dim(), c.dim);
    if constexpr (Arch::qkv_bias) {
      layer.q_bias = loader.vector(name(kNames.attn_q, ".bias"), c.q_dim());
      layer.k_bias = loader.vector(name(kNames.attn_k, ".bias"), c.kv_dim());
      layer.v_bias = loader.vector(name(kNames.attn_v, ".bias"), c.kv_dim());
    }
    layer.attn_output = matrix(kNames.attn_output, c.dim, c.q_dim());
    layer.ffn_norm = loader.vector(name(kNames.ffn_norm, ".weight"), c.dim);
    layer.gate = matrix(kNames.ffn_gate, c.ffn_dim, c.dim);
    layer.up = matrix(kNames.ffn_up, c.ffn_dim, c.dim);
    layer.down = matrix(kNames.ffn_down, c.dim, c.ffn_dim);
  }
  w.output_norm = loader.vector(kNames.output_norm, c.dim);
  if (checkpoint.find(kNames.output) != nullptr) w.own_output = loader.matrix(kNames.output, c.n_vocab, c.dim);
  if (checkpoint.find(kNames.rope_factors) != nullptr) {
    w.rope_divisors = detail::read_vector(checkpoint, kNames.rope_factors, c.rope_dim / 2);
    for (float const divisor : w.rope_divisors) {
      if (!(divisor > 0.0F && divisor <= std::numeric_limits<float>::max())) {
        fail(Errc::kCorrupt, checkpoint.source(), ": tensor '", kNames.rope_factors, "' holds ", divisor,
             ", expected positive numbers");
      }
    }
  }
  w.storage = loader.storage();
  return w;
}

}  // namespace lamina::inline v0_1
