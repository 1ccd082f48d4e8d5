// A copy of a model as GGUF, with its matrices in another format, or packed for lamina.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <new>
#include <optional>
#include <vector>

#include "engine_options.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/io/gguf_writer.hpp"
#include "lamina/quant/packed_matrix.hpp"
#include "lamina/quant/quantizer.hpp"

namespace examples {

struct Rewrite {
  std::optional<lamina::Format> format;  // of the matrices whose rows its blocks divide; absent: as stored
  bool packed = false;                   // as panels that lamina maps
};

/// What llama.cpp calls a file whose matrices have this format (llama.h, enum llama_ftype).
inline std::uint32_t file_type(lamina::Format format) {
  using lamina::Format;
  switch (format) {
    case Format::kF32: return 0;
    case Format::kF16: return 1;
    case Format::kQ4_0: return 2;
    case Format::kQ8_0: return 7;
    case Format::kQ4_K: return 14;  // MOSTLY_Q4_K_S: no matrix in Q6_K
    case Format::kQ6_K: return 18;
    case Format::kBF16: return 32;
  }
  fail(lamina::Errc::kUnsupported, "format ", lamina::traits(format).name, " has no file type");
}

/// f(), whose errors are about this tensor.
template <class F>
auto named(lamina::Checkpoint const& from, lamina::TensorInfo const& tensor, F f) try {
  return f();
} catch (std::bad_alloc const&) {
  lamina::fail(lamina::Errc::kInvalidArgument, from.source(), ": tensor '", tensor.name, "': no memory to convert it");
} catch (lamina::Error const& e) {
  lamina::fail(e.code(), from.source(), ": tensor '", tensor.name, "': ", e.what());
}

/// A matrix in its new form, given to the sink.
inline void write_matrix(lamina::Checkpoint const& from, lamina::TensorInfo const& tensor, lamina::Format target,
                         bool packed, lamina::ThreadPool& pool, lamina::ByteSink const& sink) {
  auto const cols = static_cast<std::size_t>(tensor.dims[0]);
  auto const rows = static_cast<std::size_t>(tensor.dims[1]);
  auto const matrix =
      named(from, tensor, [&] { return lamina::pack_matrix(tensor.format, tensor.bytes, rows, cols, target, pool); });
  lamina::PackedView const panels = matrix.view();
  if (packed) return sink({panels.data, panels.bytes()});
  sink(named(from, tensor, [&] {
    std::vector<std::byte> out(rows * lamina::row_bytes(target, cols));
    lamina::unpack_matrix(panels, out);
    return out;
  }));
}

/// Writes the copy, matrix by matrix: no more than one, in both forms, is in memory. Tells what it wrote on stderr.
inline void rewrite_model(lamina::Checkpoint const& from, std::filesystem::path const& to, Rewrite const& how,
                          std::size_t threads) {
  lamina::ThreadPool pool(threads);
  lamina::GgufWriter writer(how.packed ? std::uint32_t{lamina::kAlignment} : 32);
  writer.set_all(from.metadata()).set("general.quantization_version", std::uint32_t{2});  // of ggml's block layouts
  if (how.format) writer.set("general.file_type", file_type(*how.format));
  Progress progress("writing");
  std::size_t done = 0;
  for (lamina::TensorInfo const& tensor : from.tensors()) {
    if (tensor.packed) {
      lamina::fail(lamina::Errc::kUnsupported, from.source(), ": tensor '", tensor.name,
                   "' is packed; take the file it was packed from");
    }
    if (tensor.dims.size() != 2) {
      writer.add(tensor.name, tensor.format, tensor.dims, tensor.bytes);
      continue;
    }
    auto const cols = static_cast<std::size_t>(tensor.dims[0]);
    lamina::Format const target = how.format ? lamina::quant::choose(*how.format, tensor.format, cols) : tensor.format;
    auto const source = [&, target](lamina::ByteSink const& sink) {
      write_matrix(from, tensor, target, how.packed, pool, sink);
      progress(++done, from.tensors().size());
    };
    if (how.packed) {
      writer.add_packed(tensor.name, target, tensor.dims, source);
    } else {
      writer.add(tensor.name, target, tensor.dims, source);
    }
  }
  writer.write(to);
  std::fprintf(stderr, "%s: %zu tensors, %.3f MB\n", to.c_str(), from.tensors().size(),
               static_cast<double>(std::filesystem::file_size(to)) / 1e6);
}

}  // namespace examples
