// Writes GGUF version 3, in one file or split over several.
//
//   GgufWriter writer;
//   writer.set("general.architecture", "llama").set("llama.block_count", std::uint32_t{5});
//   writer.add("token_embd.weight", Format::kF32, {64, 512}, std::as_bytes(std::span(weights)));
//   writer.write("model.gguf");
#pragma once

#include <algorithm>
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
#include "lamina/core/numeric.hpp"
#include "lamina/io/gguf_reader.hpp"
#include "lamina/io/gguf_split.hpp"
#include "lamina/io/metadata_builder.hpp"
#include "lamina/io/output_file.hpp"
#include "lamina/io/tensor_info.hpp"

namespace lamina::inline v0_1 {

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
  /// Throws Error{kInvalidArgument} unless the alignment of tensor data is a power of two, 8 or more.
  explicit GgufWriter(std::uint32_t alignment = detail::kGgufDefaultAlignment);

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

  /// Throws Error{kIo} that names the file and the system's reason; what was at the path then still is.
  void write(std::filesystem::path const& path) const;

  /// Writes PREFIX-00001-of-0000N.gguf and so on, in the order of the tensors, metadata in the first; returns the
  /// paths. Throws as write(), and Error{kInvalidArgument} where no limit is set or more than 65535 parts are needed.
  std::vector<std::filesystem::path> write_split(std::filesystem::path const& prefix, SplitLimits limits) const;

 private:
  struct Tensor {
    std::string name;
    Format format;
    std::vector<std::uint64_t> dims;
    std::uint64_t n_bytes;
    std::variant<std::span<std::byte const>, TensorSource> data;
  };

  static bool is_own_key(std::string_view key) noexcept {
    return key == detail::kGgufAlignmentKey || key == detail::kSplitNoKey || key == detail::kSplitCountKey ||
           key == detail::kSplitTensorsKey;
  }

  /// Throws Error{kInvalidArgument} for dimensions that GGUF or the format does not allow.
  static std::uint64_t n_bytes_of(std::string const& name, Format format, std::vector<std::uint64_t> const& dims);
  GgufWriter& add_tensor(Tensor tensor);
  [[nodiscard]] std::vector<std::span<Tensor const>> cut(SplitLimits limits) const;
  [[nodiscard]] detail::Bytes header(MetadataBuilder const& metadata, std::span<Tensor const> tensors) const;
  [[nodiscard]] detail::OutputFile write_part(std::filesystem::path const& path, MetadataBuilder metadata,
                                              std::span<Tensor const> tensors) const;
  void write_data(detail::OutputFile& file, Tensor const& tensor) const;

  std::uint32_t alignment_;
  MetadataBuilder metadata_;
  std::vector<Tensor> tensors_;
  std::unordered_set<std::string> names_;
};

inline GgufWriter::GgufWriter(std::uint32_t alignment) : alignment_(alignment) {
  if (!detail::is_gguf_alignment(alignment)) {
    fail(Errc::kInvalidArgument, "GgufWriter: alignment ", alignment, ", expected a power of two from 8 on");
  }
}

inline GgufWriter& GgufWriter::set_all(Metadata const& metadata) {
  for (MetadataEntry const& entry : metadata.entries()) {
    if (!is_own_key(entry.key)) metadata_.set_encoded(entry);
  }
  return *this;
}

inline std::uint64_t GgufWriter::n_bytes_of(std::string const& name, Format format,
                                            std::vector<std::uint64_t> const& dims) {
  auto const n_bytes = detail::tensor_bytes(format, dims);
  if (!n_bytes || *n_bytes == 0 || dims.size() > kMaxDims) {
    fail(Errc::kInvalidArgument, "GgufWriter: tensor '", name, "' has shape ", detail::shape_text(dims),
         ", expected 1 to ", kMaxDims, " dimensions, none 0, rows in whole blocks of ", traits(format).name);
  }
  return *n_bytes;
}

inline GgufWriter& GgufWriter::add_tensor(Tensor tensor) {
  if (!names_.insert(tensor.name).second) {
    fail(Errc::kInvalidArgument, "GgufWriter: tensor '", tensor.name, "' was added before");
  }
  tensors_.push_back(std::move(tensor));
  return *this;
}

inline GgufWriter& GgufWriter::add(std::string name, Format format, std::vector<std::uint64_t> dims,
                                   std::span<std::byte const> bytes) {
  std::uint64_t const n_bytes = n_bytes_of(name, format, dims);
  if (n_bytes != bytes.size()) {
    fail(Errc::kShape, "GgufWriter: tensor '", name, "' has ", bytes.size(), " bytes, its shape ",
         detail::shape_text(dims), " needs ", n_bytes);
  }
  return add_tensor({std::move(name), format, std::move(dims), n_bytes, bytes});
}

inline GgufWriter& GgufWriter::add(std::string name, Format format, std::vector<std::uint64_t> dims,
                                   TensorSource source) {
  std::uint64_t const n_bytes = n_bytes_of(name, format, dims);
  return add_tensor({std::move(name), format, std::move(dims), n_bytes, std::move(source)});
}

inline void GgufWriter::write(std::filesystem::path const& path) const {
  detail::OutputFile file = write_part(path, metadata_, tensors_);
  file.commit();
}

inline std::vector<std::filesystem::path> GgufWriter::write_split(std::filesystem::path const& prefix,
                                                                  SplitLimits limits) const {
  auto const parts = cut(limits);
  std::vector<detail::OutputFile> files;
  for (detail::SplitPart part{0, parts.size()}; part.index < part.count; ++part.index) {
    MetadataBuilder metadata = part.index == 0 ? metadata_ : MetadataBuilder{};
    metadata.set(detail::kSplitNoKey, static_cast<std::uint16_t>(part.index))
        .set(detail::kSplitCountKey, static_cast<std::uint16_t>(part.count))
        .set(detail::kSplitTensorsKey, static_cast<std::int32_t>(tensors_.size()));
    std::filesystem::path path = prefix;
    path += detail::split_suffix(part);
    files.push_back(write_part(path, std::move(metadata), parts[part.index]));
  }
  std::vector<std::filesystem::path> paths;
  for (detail::OutputFile& file : files) {
    file.commit();
    paths.push_back(file.path());
  }
  return paths;
}

/// Neighbouring tensors into parts, each as full as the limits allow.
inline std::vector<std::span<GgufWriter::Tensor const>> GgufWriter::cut(SplitLimits limits) const {
  if (limits.max_tensors == 0 && limits.max_bytes == 0) {
    fail(Errc::kInvalidArgument, "GgufWriter: write_split needs a limit of tensors or of bytes");
  }
  std::vector<std::span<Tensor const>> parts;
  std::size_t first = 0;
  std::uint64_t bytes = 0;
  auto const close_before = [&](std::size_t end) {
    parts.push_back(std::span(tensors_).subspan(first, end - first));
    first = end;
    bytes = 0;
  };
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    std::uint64_t const n_bytes = tensors_[i].n_bytes;
    bool const many = limits.max_tensors != 0 && i - first >= limits.max_tensors;
    bool const large = limits.max_bytes != 0 && n_bytes > limits.max_bytes - std::min(bytes, limits.max_bytes);
    if (i != first && (many || large)) close_before(i);
    bytes += n_bytes;
  }
  close_before(tensors_.size());
  if (parts.size() > detail::kMaxParts) {
    fail(Errc::kInvalidArgument, "GgufWriter: ", parts.size(), " parts, at most ", detail::kMaxParts, " are possible");
  }
  return parts;
}

inline detail::Bytes GgufWriter::header(MetadataBuilder const& metadata, std::span<Tensor const> tensors) const {
  detail::Bytes out;
  detail::append(out, std::as_bytes(std::span(detail::kGgufMagic)));
  detail::append_number(out, detail::kGgufVersion);
  auto const entries = metadata.entries();
  detail::append_number(out, static_cast<std::uint64_t>(tensors.size()));
  detail::append_number(out, static_cast<std::uint64_t>(entries.size()));
  for (MetadataEntry const& entry : entries) {
    detail::append_string(out, entry.key);
    detail::append_number(out, static_cast<std::uint32_t>(entry.type));
    detail::append(out, entry.encoded);
  }
  std::uint64_t offset = 0;
  for (Tensor const& tensor : tensors) {
    detail::append_string(out, tensor.name);
    detail::append_number(out, static_cast<std::uint32_t>(tensor.dims.size()));
    for (std::uint64_t const d : tensor.dims) detail::append_number(out, d);
    detail::append_number(out, static_cast<std::uint32_t>(tensor.format));
    detail::append_number(out, offset);
    offset += round_up(tensor.n_bytes, alignment_);
  }
  return out;
}

inline detail::OutputFile GgufWriter::write_part(std::filesystem::path const& path, MetadataBuilder metadata,
                                                 std::span<Tensor const> tensors) const {
  if (alignment_ != detail::kGgufDefaultAlignment) metadata.set(detail::kGgufAlignmentKey, alignment_);
  detail::OutputFile file(path);
  file.write(header(metadata, tensors));
  if (!tensors.empty()) file.pad(alignment_);
  for (Tensor const& tensor : tensors) {
    write_data(file, tensor);
    file.pad(alignment_);
  }
  file.finish();
  return file;
}

inline void GgufWriter::write_data(detail::OutputFile& file, Tensor const& tensor) const {
  if (auto const* bytes = std::get_if<std::span<std::byte const>>(&tensor.data)) return file.write(*bytes);
  std::uint64_t const begin = file.offset();
  std::get<TensorSource>(tensor.data)([&](std::span<std::byte const> piece) { file.write(piece); });
  if (file.offset() - begin != tensor.n_bytes) {
    fail(Errc::kShape, file.path().string(), ": the source of tensor '", tensor.name, "' gave ", file.offset() - begin,
         " bytes, its shape ", detail::shape_text(tensor.dims), " needs ", tensor.n_bytes);
  }
}

}  // namespace lamina::inline v0_1
