// Writes GGUF, version 3 or 2, in one file or split over several.
//
//   GgufWriter writer;
//   writer.set("general.architecture", "llama").set("llama.block_count", std::uint32_t{5});
//   writer.add("token_embd.weight", Format::kF32, {64, 512}, std::as_bytes(std::span(weights)));
//   writer.write("model.gguf");
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/function_ref.hpp"
#include "lamina/io/metadata_builder.hpp"
#include "lamina/io/tensor_info.hpp"

namespace lamina::inline v0_1 {

namespace detail {
class OutputFile;
}

/// Takes the next bytes of a tensor's data.
using ByteSink = FunctionRef<void(std::span<std::byte const>)>;

/// Gives a tensor's data, all of it, in as many pieces as it likes. Called once for each write.
using TensorSource = std::function<void(ByteSink)>;

/// Where one part of a split model ends; 0 means no such limit.
struct SplitLimits {
  std::size_t max_tensors = 0;
  std::uint64_t max_bytes = 0;  // of tensor data; a larger tensor has a part to itself
};

/// Collects metadata and tensor descriptions; write() then streams, so that a model need not fit into memory.
/// A file appears at its path whole or not at all. write() is const: the same model can be written again.
class GgufWriter {
 public:
  /// Throws Error{kInvalidArgument} unless the alignment of tensor data is a power of two, 8 or more, and the version
  /// 2 or 3. Little endian, as all that is written here, the two have the same bytes but for their number.
  explicit GgufWriter(std::uint32_t alignment, std::uint32_t version = 3);
  /// Aligned to 32 bytes.
  GgufWriter();

  /// Sets a key to a bool, number, text, or range of such (see MetadataValue); a second call replaces the value.
  /// Throws Error{kInvalidArgument} for general.alignment and split.*, which the writer sets.
  template <MetadataValue T>
  GgufWriter& set(std::string_view key, T const& value) {
    if (is_own_key(key)) fail(Errc::kInvalidArgument, "GgufWriter: key '", key, "' is set by the writer");
    metadata_.set(key, value);
    return *this;
  }

  /// Copies all keys of another checkpoint but those that the writer sets.
  GgufWriter& set_all(Metadata const& metadata);

  /// Adds a tensor, in GGUF's order of dimensions; the bytes must stay there until the last write.
  /// Throws Error{kShape} where their number is not the shape's, Error{kInvalidArgument} for a name that is there
  /// already, or dimensions that are not 1 to 4 of at least 1 in whole blocks.
  GgufWriter& add(std::string name, Format format, std::vector<std::uint64_t> dims, std::span<std::byte const> bytes);

  /// Adds a tensor whose data is produced while writing. A source that gives another number of bytes than the shape
  /// needs makes write() throw Error{kShape}; what it throws itself comes out of write().
  GgufWriter& add(std::string name, Format format, std::vector<std::uint64_t> dims, TensorSource source);

  /// Adds a matrix [dims[1], dims[0]] as panels (see PackedView), for lamina alone: the tensor's type says so, and
  /// other programs refuse it. The source gives packed_bytes(format, dims[1], dims[0]) bytes. Throws as add(), and
  /// Error{kInvalidArgument} where the alignment of tensor data is below 64.
  GgufWriter& add_packed(std::string name, Format format, std::vector<std::uint64_t> dims, TensorSource source);

  /// Throws Error{kIo} that names the file and the system's reason; what was at the path then still is.
  void write(std::filesystem::path const& path) const;

  /// Writes PREFIX-00001-of-0000N.gguf and so on, in the order of the tensors, metadata in the first; returns the
  /// paths. Throws as write(), and Error{kInvalidArgument} where no limit is set or more than 65535 parts are needed.
  std::vector<std::filesystem::path> write_split(std::filesystem::path const& prefix, SplitLimits limits) const;

 private:
  struct Tensor {
    std::string name;
    Format format;
    bool packed;
    std::vector<std::uint64_t> dims;
    std::uint64_t n_bytes;
    std::variant<std::span<std::byte const>, TensorSource> data;
  };

  static bool is_own_key(std::string_view key) noexcept;

  /// Throws Error{kInvalidArgument} for dimensions that GGUF or the format does not allow.
  static std::uint64_t n_bytes_of(std::string const& name, Format format, bool packed,
                                  std::vector<std::uint64_t> const& dims);
  GgufWriter& add_tensor(Tensor tensor);
  [[nodiscard]] std::vector<std::span<Tensor const>> cut(SplitLimits limits) const;
  [[nodiscard]] detail::Bytes header(MetadataBuilder const& metadata, std::span<Tensor const> tensors) const;
  [[nodiscard]] detail::OutputFile write_part(std::filesystem::path const& path, MetadataBuilder metadata,
                                              std::span<Tensor const> tensors) const;
  void write_data(detail::OutputFile& file, Tensor const& tensor) const;

  std::uint32_t alignment_;
  std::uint32_t version_;
  MetadataBuilder metadata_;
  std::vector<Tensor> tensors_;
  std::unordered_set<std::string> names_;
};

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/io/gguf_writer_impl.hpp"
#endif
