// How a GGUF file is laid out and written. See compiled.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lamina/core/aligned.hpp"
#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/io/gguf_reader.hpp"
#include "lamina/io/gguf_split.hpp"
#include "lamina/io/gguf_writer.hpp"
#include "lamina/io/output_file.hpp"

namespace lamina::inline v0_1 {

LAMINA_INLINE GgufWriter::GgufWriter(std::uint32_t alignment, std::uint32_t version)
    : alignment_(alignment), version_(version) {
  if (!detail::is_gguf_alignment(alignment)) {
    fail(Errc::kInvalidArgument, "GgufWriter: alignment ", alignment, ", expected a power of two from 8 on");
  }
  if (version != 2 && version != 3) fail(Errc::kInvalidArgument, "GgufWriter: version ", version, ", expected 2 or 3");
}

LAMINA_INLINE GgufWriter::GgufWriter() : GgufWriter(detail::kGgufDefaultAlignment) {}

LAMINA_INLINE bool GgufWriter::is_own_key(std::string_view key) noexcept {
  return key == detail::kGgufAlignmentKey || key == detail::kSplitNoKey || key == detail::kSplitCountKey ||
         key == detail::kSplitTensorsKey;
}

LAMINA_INLINE GgufWriter& GgufWriter::set_all(Metadata const& metadata) {
  for (MetadataEntry const& entry : metadata.entries()) {
    if (!is_own_key(entry.key)) metadata_.set_encoded(entry);
  }
  return *this;
}

LAMINA_INLINE std::uint64_t GgufWriter::n_bytes_of(std::string const& name, Format format, bool packed,
                                                   std::vector<std::uint64_t> const& dims) {
  auto const n_bytes = detail::tensor_bytes(format, dims, packed);
  if (!n_bytes || *n_bytes == 0 || dims.size() > kMaxDims) {
    fail(Errc::kInvalidArgument, "GgufWriter: tensor '", name, "' has shape ", detail::shape_text(dims), ", expected ",
         packed ? "2" : "1 to " + std::to_string(kMaxDims), " dimensions, none 0, rows in whole blocks of ",
         traits(format).name);
  }
  return *n_bytes;
}

LAMINA_INLINE GgufWriter& GgufWriter::add_tensor(Tensor tensor) {
  if (!names_.insert(tensor.name).second) {
    fail(Errc::kInvalidArgument, "GgufWriter: tensor '", tensor.name, "' was added before");
  }
  tensors_.push_back(std::move(tensor));
  return *this;
}

LAMINA_INLINE GgufWriter& GgufWriter::add(std::string name, Format format, std::vector<std::uint64_t> dims,
                                          std::span<std::byte const> bytes) {
  std::uint64_t const n_bytes = n_bytes_of(name, format, false, dims);
  if (n_bytes != bytes.size()) {
    fail(Errc::kShape, "GgufWriter: tensor '", name, "' has ", bytes.size(), " bytes, its shape ",
         detail::shape_text(dims), " needs ", n_bytes);
  }
  return add_tensor({std::move(name), format, false, std::move(dims), n_bytes, bytes});
}

LAMINA_INLINE GgufWriter& GgufWriter::add(std::string name, Format format, std::vector<std::uint64_t> dims,
                                          TensorSource source) {
  std::uint64_t const n_bytes = n_bytes_of(name, format, false, dims);
  return add_tensor({std::move(name), format, false, std::move(dims), n_bytes, std::move(source)});
}

LAMINA_INLINE GgufWriter& GgufWriter::add_packed(std::string name, Format format, std::vector<std::uint64_t> dims,
                                                 TensorSource source) {
  if (alignment_ % kAlignment != 0) {
    fail(Errc::kInvalidArgument, "GgufWriter: packed tensor '", name, "' needs an alignment of ", kAlignment,
         " bytes, the writer has ", alignment_);
  }
  std::uint64_t const n_bytes = n_bytes_of(name, format, true, dims);
  return add_tensor({std::move(name), format, true, std::move(dims), n_bytes, std::move(source)});
}

LAMINA_INLINE void GgufWriter::write(std::filesystem::path const& path) const {
  detail::OutputFile file = write_part(path, metadata_, tensors_);
  file.commit();
}

LAMINA_INLINE std::vector<std::filesystem::path> GgufWriter::write_split(std::filesystem::path const& prefix,
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
LAMINA_INLINE std::vector<std::span<GgufWriter::Tensor const>> GgufWriter::cut(SplitLimits limits) const {
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

LAMINA_INLINE detail::Bytes GgufWriter::header(MetadataBuilder const& metadata, std::span<Tensor const> tensors) const {
  detail::Bytes out;
  detail::append(out, std::as_bytes(std::span(detail::kGgufMagic)));
  detail::append_number(out, version_);
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
    detail::append_number(out, detail::gguf_type(tensor.format, tensor.packed));
    detail::append_number(out, offset);
    offset += round_up(tensor.n_bytes, alignment_);
  }
  return out;
}

LAMINA_INLINE detail::OutputFile GgufWriter::write_part(std::filesystem::path const& path, MetadataBuilder metadata,
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

LAMINA_INLINE void GgufWriter::write_data(detail::OutputFile& file, Tensor const& tensor) const {
  if (auto const* bytes = std::get_if<std::span<std::byte const>>(&tensor.data)) return file.write(*bytes);
  std::uint64_t const begin = file.offset();
  std::get<TensorSource>(tensor.data)([&](std::span<std::byte const> piece) { file.write(piece); });
  if (file.offset() - begin != tensor.n_bytes) {
    fail(Errc::kShape, file.path().string(), ": the source of tensor '", tensor.name, "' gave ", file.offset() - begin,
         " bytes, its shape ", detail::shape_text(tensor.dims), " needs ", tensor.n_bytes);
  }
}

}  // namespace lamina::inline v0_1
