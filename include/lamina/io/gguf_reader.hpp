// Reads GGUF, versions 2 and 3: header, metadata, tensor descriptions. Tensor data stays where it is.
//
// Layout (ggml, docs/gguf.md), all little endian:
//   "GGUF"  version:u32  n_tensors:u64  n_keys:u64
//   n_keys    x  { key:string  type:u32  value }
//   n_tensors x  { name:string  n_dims:u32  dims:u64[n_dims]  type:u32  offset:u64 }
//   padding to general.alignment (32 unless given), then the data; offsets count from there.
// Versions 2 and 3 differ only in that 3 may be big endian, which lamina does not read.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/aligned.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/metadata.hpp"
#include "lamina/io/tensor_info.hpp"

namespace lamina::inline v0_1::detail {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr std::uint32_t kGgufDefaultAlignment = 32;
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";

/// The specification asks for a multiple of 8, ggml for a power of two. Both keep every element naturally aligned.
constexpr bool is_gguf_alignment(std::uint64_t alignment) noexcept {
  return alignment >= 8 && std::has_single_bit(alignment);
}

inline bool is_gguf(std::span<std::byte const> bytes) noexcept {
  return as_text(bytes.first(std::min(bytes.size(), kGgufMagic.size()))) == kGgufMagic;
}

inline void read_gguf_version(ByteReader& reader) {
  auto const version = reader.read<std::uint32_t>("GGUF version");
  if (version == 2 || version == 3) return;
  if ((version & 0xffffu) == 0 && version != 0) {
    reader.fail_here(Errc::kUnsupported, "the GGUF file is big endian; only little endian is read");
  }
  reader.fail_here(Errc::kUnsupported, "GGUF version ", version, "; versions 2 and 3 are read");
}

inline MetadataEntry read_gguf_entry(ByteReader& reader) {
  reader.subject("key");
  MetadataEntry entry{};
  entry.key = reader.read_string("key");
  reader.subject("key", entry.key);
  entry.type = read_metadata_type(reader);
  ByteReader value = reader;
  skip_value(reader, entry.type);
  entry.encoded = value.take(reader.offset() - value.offset(), "value");
  return entry;
}

/// Tensor types with "LP" in the high half are lamina's own: panels, with the version of their layout and the format's
/// number, a byte each, in the low half. ggml's types are small numbers.
inline constexpr std::uint32_t kPackedTypes = 0x4c500000;
inline constexpr std::uint32_t kPanelLayout = 1;  // one more for any change of a PanelBlock: a test has their hashes

constexpr std::uint32_t gguf_type(Format format, bool packed) noexcept {
  return static_cast<std::uint32_t>(format) | (packed ? kPackedTypes | kPanelLayout << 8 : 0);
}

/// Fills in format and packed.
inline void read_gguf_type(ByteReader& reader, TensorInfo& tensor) {
  auto const number = reader.read<std::uint32_t>("tensor type");
  tensor.packed = (number & 0xffff0000u) == kPackedTypes;
  std::uint32_t const layout = number >> 8 & 0xff;
  if (tensor.packed && layout != kPanelLayout) {
    reader.fail_here(Errc::kUnsupported, "packed in layout ", layout, ", this version of lamina has layout ",
                     kPanelLayout, ": pack the original file again");
  }
  auto const format = format_of(tensor.packed ? number & 0xff : number);
  if (!format) {
    reader.fail_here(Errc::kUnsupported, "tensor type ", number, " (", ggml_type_name(number), ") is not supported");
  }
  tensor.format = *format;
}

/// A tensor's description before the place of the data is known.
struct GgufTensor {
  TensorInfo info;
  std::uint64_t n_bytes;
  std::uint64_t offset;
};

inline GgufTensor read_gguf_tensor(ByteReader& reader) {
  reader.subject("tensor");
  GgufTensor tensor{};
  std::string_view const name = reader.read_string("tensor name");
  reader.subject("tensor", name);
  auto const n_dims = reader.read<std::uint32_t>("number of dimensions");
  if (n_dims < 1 || n_dims > kMaxDims) {
    reader.fail_here(Errc::kCorrupt, n_dims, " dimensions, expected 1 to ", kMaxDims);
  }
  std::vector<std::uint64_t>& dims = tensor.info.dims;
  for (std::uint32_t i = 0; i < n_dims; ++i) dims.push_back(reader.read<std::uint64_t>("dimension"));
  if (std::ranges::count(dims, 0u) != 0) reader.fail_here(Errc::kCorrupt, "a dimension of ", shape_text(dims), " is 0");
  read_gguf_type(reader, tensor.info);
  auto const n_bytes = tensor_bytes(tensor.info.format, dims, tensor.info.packed);
  if (!n_bytes) {
    reader.fail_here(Errc::kCorrupt, "shape ", shape_text(dims), tensor.info.packed ? " is no matrix," : "",
                     " overflows, or its rows are not whole blocks of ", traits(tensor.info.format).block);
  }
  tensor.info.name = std::string(name);
  tensor.n_bytes = *n_bytes;
  tensor.offset = reader.read<std::uint64_t>("data offset");
  return tensor;
}

/// Where in the file the tensor's data lies.
inline std::span<std::byte const> gguf_data(ByteReader& reader, std::span<std::byte const> file,
                                            GgufTensor const& tensor, std::uint64_t data_start,
                                            std::uint64_t alignment) {
  reader.subject("tensor", tensor.info.name);
  if (tensor.offset % alignment != 0) {
    reader.fail_here(Errc::kCorrupt, "data offset ", tensor.offset, " is no multiple of the alignment ", alignment);
  }
  auto const begin = checked_add(data_start, tensor.offset);
  auto const end = begin ? checked_add(*begin, tensor.n_bytes) : std::nullopt;
  if (!end || *end > file.size()) {
    reader.fail_here(Errc::kCorrupt, "data of ", tensor.n_bytes, " bytes at offset ", tensor.offset, " from byte ",
                     data_start, " reaches past the end of the file at ", file.size());
  }
  auto const bytes = file.subspan(static_cast<std::size_t>(*begin), static_cast<std::size_t>(tensor.n_bytes));
  if (tensor.info.packed && reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment != 0) {
    bool const file_is_to_blame = *begin % kAlignment != 0;
    reader.fail_here(file_is_to_blame ? Errc::kCorrupt : Errc::kInvalidArgument, "packed data at byte ", *begin,
                     " does not lie on a boundary of ", kAlignment, " bytes", file_is_to_blame ? "" : " in memory");
  }
  return bytes;
}

/// No two tensors share bytes: files have no use for it, and one of a megabyte could ask for gigabytes of panels.
inline void check_apart(std::span<TensorInfo const> tensors, std::string_view source) {
  std::vector<TensorInfo const*> in_file_order;
  in_file_order.reserve(tensors.size());
  for (TensorInfo const& tensor : tensors) in_file_order.push_back(&tensor);
  std::ranges::sort(in_file_order, {}, [](TensorInfo const* t) { return t->bytes.data(); });
  for (std::size_t i = 1; i < in_file_order.size(); ++i) {
    TensorInfo const& before = *in_file_order[i - 1];
    TensorInfo const& tensor = *in_file_order[i];
    if (before.bytes.data() + before.bytes.size() > tensor.bytes.data()) {
      fail(Errc::kCorrupt, source, ": tensor '", printable(tensor.name), "' shares data with tensor '",
           printable(before.name), "'");
    }
  }
}

inline std::uint64_t gguf_alignment(Metadata const& metadata) {
  std::uint64_t const alignment = metadata.get<std::uint64_t>(kGgufAlignmentKey).value_or(kGgufDefaultAlignment);
  if (!is_gguf_alignment(alignment) || alignment > (std::uint64_t{1} << 32)) {
    fail(Errc::kCorrupt, metadata.source(), ": key '", kGgufAlignmentKey, "' is ", alignment,
         ", expected a power of two from 8 on");
  }
  return alignment;
}

/// Parses one GGUF file. `owner` keeps the bytes alive for the metadata. Precondition: is_gguf(bytes).
inline CheckpointContents read_gguf(std::span<std::byte const> bytes, std::string source,
                                    std::shared_ptr<void const> owner) {
  constexpr std::size_t kMinEntry = 8 + 4 + 1;           // empty key, type, one byte
  constexpr std::size_t kMinTensor = 8 + 4 + 8 + 4 + 8;  // empty name, one dimension
  std::string const name = source;                       // the reader's view must outlive the move into the metadata
  ByteReader reader(bytes, name);
  reader.take(kGgufMagic.size(), "magic");
  read_gguf_version(reader);
  std::size_t const n_tensors = reader.read_count(kMinTensor, "number of tensors");
  std::size_t const n_entries = reader.read_count(kMinEntry, "number of keys");

  std::vector<MetadataEntry> entries;
  entries.reserve(n_entries);
  for (std::size_t i = 0; i < n_entries; ++i) entries.push_back(read_gguf_entry(reader));
  CheckpointContents contents{Metadata(std::move(source), std::move(entries), std::move(owner)), {}};

  std::vector<GgufTensor> tensors;
  tensors.reserve(n_tensors);
  for (std::size_t i = 0; i < n_tensors; ++i) tensors.push_back(read_gguf_tensor(reader));

  std::uint64_t const alignment = gguf_alignment(contents.metadata);
  std::uint64_t const data_start = (reader.offset() + alignment - 1) / alignment * alignment;
  contents.tensors.reserve(n_tensors);
  for (GgufTensor& tensor : tensors) {
    tensor.info.bytes = gguf_data(reader, bytes, tensor, data_start, alignment);
    contents.tensors.push_back(std::move(tensor.info));
  }
  check_apart(contents.tensors, name);
  return contents;
}

}  // namespace lamina::inline v0_1::detail
