// How a Checkpoint is opened: by content, GGUF or llama2.c, in one file or several. See compiled.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/mapped_file.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/io/gguf_reader.hpp"
#include "lamina/io/gguf_split.hpp"
#include "lamina/io/llama2c_reader.hpp"

namespace lamina::inline v0_1 {

namespace detail {

/// Throws Error{kUnsupported} for the model files of other programs, by their first four bytes.
inline void refuse_foreign_files(std::span<std::byte const> bytes, std::string const& source) {
  struct Foreign {
    std::string_view magic;
    std::string_view what;
  };
  constexpr std::array<Foreign, 6> kForeign = {{
      {"24ka", "a llama2.c checkpoint of version 1 or 2; version 0 is read"},
      {"lmgg", "a GGML file older than GGUF"},
      {"fmgg", "a GGML file older than GGUF"},
      {"tjgg", "a GGML file older than GGUF"},
      {"FUGG", "a GGUF file with swapped bytes"},
      {"PK\x03\x04", "a ZIP archive, perhaps a PyTorch checkpoint"},
  }};
  std::string_view const magic = as_text(bytes.first(std::min<std::size_t>(bytes.size(), 4)));
  for (Foreign const& foreign : kForeign) {
    if (magic == foreign.magic) fail(Errc::kUnsupported, source, ": ", foreign.what);
  }
}

/// Finds the format by the content and reads it. llama2.c has no magic: whatever is not another format must be that.
inline CheckpointContents read_contents(std::span<std::byte const> bytes, std::string const& source,
                                        std::shared_ptr<void const> owner) {
  if (is_gguf(bytes)) return read_gguf(bytes, source, std::move(owner));
  refuse_foreign_files(bytes, source);
  try {
    return read_llama2c(bytes, source);
  } catch (Error const& error) {
    fail(error.code(), error.what(), " (the file is not GGUF, so it was read as llama2.c)");
  }
}

}  // namespace detail

struct Checkpoint::Content {
  std::string source;
  std::vector<std::shared_ptr<MappedFile const>> files;
  std::shared_ptr<void const> owner;
  Metadata metadata;
  std::vector<TensorInfo> tensors;
  std::unordered_map<std::string_view, std::size_t> index;

  CheckpointContents map_and_read(std::filesystem::path const& path);
  void append(CheckpointContents&& part);
  CheckpointContents read_part(std::string const& prefix, detail::SplitPart part);
  void append_parts(CheckpointContents opened, detail::SplitPart part);
};

LAMINA_INLINE Metadata const& Checkpoint::metadata() const noexcept { return content_->metadata; }

LAMINA_INLINE std::span<TensorInfo const> Checkpoint::tensors() const noexcept { return content_->tensors; }

LAMINA_INLINE TensorInfo const* Checkpoint::find(std::string_view name) const noexcept {
  auto const found = content_->index.find(name);
  return found == content_->index.end() ? nullptr : &content_->tensors[found->second];
}

LAMINA_INLINE TensorInfo const& Checkpoint::tensor(std::string_view name) const {
  TensorInfo const* info = find(name);
  if (info == nullptr) fail(Errc::kMissing, source(), ": tensor '", detail::printable(name), "' is missing");
  return *info;
}

LAMINA_INLINE std::string const& Checkpoint::source() const noexcept { return content_->source; }

LAMINA_INLINE void Checkpoint::discard(TensorInfo const& tensor) const noexcept {
  auto const at = reinterpret_cast<std::uintptr_t>(tensor.bytes.data());
  for (auto const& file : content_->files) {
    // Compared as integers: the mappings of two files are different objects.
    auto const first = reinterpret_cast<std::uintptr_t>(file->bytes().data());
    if (at >= first && at - first < file->bytes().size()) file->discard(tensor.bytes);
  }
}

LAMINA_INLINE Checkpoint::Checkpoint(std::shared_ptr<Content> content) {
  content->index.reserve(content->tensors.size());
  for (std::size_t i = 0; i < content->tensors.size(); ++i) {
    std::string_view const name = content->tensors[i].name;
    if (!content->index.emplace(name, i).second) {
      fail(Errc::kCorrupt, content->source, ": tensor '", detail::printable(name), "' occurs twice");
    }
  }
  content_ = std::move(content);
}

LAMINA_INLINE Checkpoint Checkpoint::open(std::filesystem::path const& path) {
  auto content = std::make_shared<Content>();
  content->source = path.string();
  auto opened = content->map_and_read(path);
  detail::SplitPart const part = detail::split_part(opened.metadata);
  if (part.count == 1) {
    content->append(std::move(opened));
  } else {
    content->append_parts(std::move(opened), part);
  }
  return Checkpoint(std::move(content));
}

LAMINA_INLINE Checkpoint Checkpoint::from_bytes(std::shared_ptr<void const> owner, std::span<std::byte const> bytes,
                                                std::string name) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0) {
    fail(Errc::kInvalidArgument, name, ": the bytes of a model must begin on an 8-byte boundary");
  }
  auto content = std::make_shared<Content>();
  content->source = std::move(name);
  auto opened = detail::read_contents(bytes, content->source, owner);
  content->owner = std::move(owner);
  detail::SplitPart const part = detail::split_part(opened.metadata);
  if (part.count != 1) {
    fail(Errc::kUnsupported, content->source, ": part ", part.index + 1, " of ", part.count,
         ": a split model can only be opened from its files");
  }
  content->append(std::move(opened));
  return Checkpoint(std::move(content));
}

LAMINA_INLINE CheckpointContents Checkpoint::Content::map_and_read(std::filesystem::path const& path) {
  auto file = std::make_shared<MappedFile const>(path);
  files.push_back(file);
  std::span<std::byte const> const bytes = file->bytes();
  return detail::read_contents(bytes, path.string(), std::move(file));
}

LAMINA_INLINE void Checkpoint::Content::append(CheckpointContents&& part) {
  if (tensors.empty()) {
    tensors = std::move(part.tensors);
    metadata = std::move(part.metadata);
  } else {
    std::ranges::move(part.tensors, std::back_inserter(tensors));
  }
}

LAMINA_INLINE CheckpointContents Checkpoint::Content::read_part(std::string const& prefix, detail::SplitPart part) {
  std::string const path = prefix + detail::split_suffix(part);
  if (std::error_code ignored; !std::filesystem::exists(path, ignored)) {
    fail(Errc::kIo, path, ": part ", part.index + 1, " of ", part.count, " is missing, of the model opened as ",
         source);
  }
  auto contents = map_and_read(path);
  if (detail::split_part(contents.metadata) != part) {
    fail(Errc::kCorrupt, path, ": its metadata does not say that it is part ", part.index + 1, " of ", part.count);
  }
  return contents;
}

LAMINA_INLINE void Checkpoint::Content::append_parts(CheckpointContents opened, detail::SplitPart part) {
  std::string const prefix = detail::split_prefix(source, part);
  auto const n_tensors = opened.metadata.get<std::uint64_t>(detail::kSplitTensorsKey);
  for (detail::SplitPart other{0, part.count}; other.index < other.count; ++other.index) {
    append(other == part ? std::exchange(opened, {}) : read_part(prefix, other));
  }
  if (n_tensors && *n_tensors != tensors.size()) {
    fail(Errc::kCorrupt, source, ": key '", detail::kSplitTensorsKey, "' is ", *n_tensors, ", the parts hold ",
         tensors.size(), " tensors");
  }
}

}  // namespace lamina::inline v0_1
