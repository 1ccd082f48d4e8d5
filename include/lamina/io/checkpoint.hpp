// An opened model file, whatever its format: metadata under GGUF's keys, tensors under GGUF's names, bytes in place.
//
//   auto const checkpoint = Checkpoint::open("model.gguf");           // or a llama2.c .bin
//   TensorInfo const& embedding = checkpoint.tensor("token_embd.weight");
//
// A new file format is one reader that returns CheckpointContents, and one line in detail::read_contents.
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

#include "lamina/core/error.hpp"
#include "lamina/core/mapped_file.hpp"
#include "lamina/io/gguf_reader.hpp"
#include "lamina/io/gguf_split.hpp"
#include "lamina/io/llama2c_reader.hpp"
#include "lamina/io/metadata.hpp"
#include "lamina/io/tensor_info.hpp"

namespace lamina::inline v0_1 {

/// Immutable; copies share the mapping, which lives as long as any copy. All spans and views point into it.
class Checkpoint {
 public:
  /// Maps a GGUF (version 2 or 3) or llama2.c file; the content tells which. Any part of a split GGUF
  /// (NAME-00001-of-00003.gguf) opens all its parts; the metadata is that of the first.
  /// Throws Error: kIo that names the file that cannot be opened, a missing part too; kCorrupt and kUnsupported that
  /// name the file and the byte, key or tensor.
  static Checkpoint open(std::filesystem::path const& path);

  /// The same for a model that the host holds in memory, embedded in its executable, say; `owner` (may be null) keeps
  /// the bytes alive, `name` stands for the file in messages. One file: a part of a split GGUF is Error{kUnsupported}.
  /// Throws Error{kInvalidArgument} where the bytes do not begin on an 8-byte boundary.
  static Checkpoint from_bytes(std::shared_ptr<void const> owner, std::span<std::byte const> bytes, std::string name);

  [[nodiscard]] Metadata const& metadata() const noexcept { return content_->metadata; }

  /// In the order of the file, part after part.
  [[nodiscard]] std::span<TensorInfo const> tensors() const noexcept { return content_->tensors; }

  /// The tensor, or null where there is none of that name.
  [[nodiscard]] TensorInfo const* find(std::string_view name) const noexcept {
    auto const found = content_->index.find(name);
    return found == content_->index.end() ? nullptr : &content_->tensors[found->second];
  }

  /// Throws Error{kMissing} that names file and tensor.
  [[nodiscard]] TensorInfo const& tensor(std::string_view name) const {
    TensorInfo const* info = find(name);
    if (info == nullptr) fail(Errc::kMissing, source(), ": tensor '", detail::printable(name), "' is missing");
    return *info;
  }

  /// The path as given to open, or the name given to from_bytes; for messages.
  [[nodiscard]] std::string const& source() const noexcept { return content_->source; }

  /// Tells the system that the tensor's bytes will not be read again soon: their memory can go to others. Reading them
  /// again gives the same bytes, from the disk. Precondition: one of this checkpoint's tensors.
  void discard(TensorInfo const& tensor) const noexcept {
    auto const at = reinterpret_cast<std::uintptr_t>(tensor.bytes.data());
    for (auto const& file : content_->files) {
      // Compared as integers: the mappings of two files are different objects.
      auto const first = reinterpret_cast<std::uintptr_t>(file->bytes().data());
      if (at >= first && at - first < file->bytes().size()) file->discard(tensor.bytes);
    }
  }

 private:
  struct Content {
    std::string source;
    std::vector<std::shared_ptr<MappedFile const>> files;
    std::shared_ptr<void const> owner;
    Metadata metadata;
    std::vector<TensorInfo> tensors;
    std::unordered_map<std::string_view, std::size_t> index;
  };

  /// Indexes the tensors by name. Throws Error{kCorrupt} where a name occurs twice.
  explicit Checkpoint(std::shared_ptr<Content> content);

  static CheckpointContents map_and_read(Content& content, std::filesystem::path const& path);
  static void append(Content& content, CheckpointContents&& part);
  static CheckpointContents read_part(Content& content, std::string const& prefix, detail::SplitPart part);
  static void append_parts(Content& content, CheckpointContents opened, detail::SplitPart part);

  std::shared_ptr<Content const> content_;
};

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

inline Checkpoint::Checkpoint(std::shared_ptr<Content> content) {
  content->index.reserve(content->tensors.size());
  for (std::size_t i = 0; i < content->tensors.size(); ++i) {
    std::string_view const name = content->tensors[i].name;
    if (!content->index.emplace(name, i).second) {
      fail(Errc::kCorrupt, content->source, ": tensor '", detail::printable(name), "' occurs twice");
    }
  }
  content_ = std::move(content);
}

inline Checkpoint Checkpoint::open(std::filesystem::path const& path) {
  auto content = std::make_shared<Content>();
  content->source = path.string();
  auto opened = map_and_read(*content, path);
  detail::SplitPart const part = detail::split_part(opened.metadata);
  if (part.count == 1) {
    append(*content, std::move(opened));
  } else {
    append_parts(*content, std::move(opened), part);
  }
  return Checkpoint(std::move(content));
}

inline Checkpoint Checkpoint::from_bytes(std::shared_ptr<void const> owner, std::span<std::byte const> bytes,
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
  append(*content, std::move(opened));
  return Checkpoint(std::move(content));
}

inline CheckpointContents Checkpoint::map_and_read(Content& content, std::filesystem::path const& path) {
  auto file = std::make_shared<MappedFile const>(path);
  content.files.push_back(file);
  std::span<std::byte const> const bytes = file->bytes();
  return detail::read_contents(bytes, path.string(), std::move(file));
}

inline void Checkpoint::append(Content& content, CheckpointContents&& part) {
  if (content.tensors.empty()) {
    content.tensors = std::move(part.tensors);
    content.metadata = std::move(part.metadata);
  } else {
    std::ranges::move(part.tensors, std::back_inserter(content.tensors));
  }
}

inline CheckpointContents Checkpoint::read_part(Content& content, std::string const& prefix, detail::SplitPart part) {
  std::string const path = prefix + detail::split_suffix(part);
  if (std::error_code ignored; !std::filesystem::exists(path, ignored)) {
    fail(Errc::kIo, path, ": part ", part.index + 1, " of ", part.count, " is missing, of the model opened as ",
         content.source);
  }
  auto contents = map_and_read(content, path);
  if (detail::split_part(contents.metadata) != part) {
    fail(Errc::kCorrupt, path, ": its metadata does not say that it is part ", part.index + 1, " of ", part.count);
  }
  return contents;
}

inline void Checkpoint::append_parts(Content& content, CheckpointContents opened, detail::SplitPart part) {
  std::string const prefix = detail::split_prefix(content.source, part);
  auto const n_tensors = opened.metadata.get<std::uint64_t>(detail::kSplitTensorsKey);
  for (detail::SplitPart other{0, part.count}; other.index < other.count; ++other.index) {
    append(content, other == part ? std::exchange(opened, {}) : read_part(content, prefix, other));
  }
  if (n_tensors && *n_tensors != content.tensors.size()) {
    fail(Errc::kCorrupt, content.source, ": key '", detail::kSplitTensorsKey, "' is ", *n_tensors, ", the parts hold ",
         content.tensors.size(), " tensors");
  }
}

}  // namespace lamina::inline v0_1
