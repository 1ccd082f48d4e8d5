// An opened model file, whatever its format: metadata under GGUF's keys, tensors under GGUF's names, bytes in place.
//
//   auto const checkpoint = Checkpoint::open("model.gguf");           // or a llama2.c .bin
//   TensorInfo const& embedding = checkpoint.tensor("token_embd.weight");
//
// A new file format is one reader that returns CheckpointContents, and one line in
// detail::read_contents (checkpoint_impl.hpp).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

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
  /// The file must not change while it is mapped, by models too whose matrices are packed in it: replace it by renaming
  /// another to its name, never in place.
  static Checkpoint open(std::filesystem::path const& path);

  /// The same for a model that the host holds in memory, embedded in its executable, say; `owner` (may be null) keeps
  /// the bytes alive, `name` stands for the file in messages. One file: a part of a split GGUF is Error{kUnsupported}.
  /// Throws Error{kInvalidArgument} where the bytes do not begin on an 8-byte boundary; packed weights need 64 bytes,
  /// and models that were loaded with them keep `owner`.
  static Checkpoint from_bytes(std::shared_ptr<void const> owner, std::span<std::byte const> bytes, std::string name);

  [[nodiscard]] Metadata const& metadata() const noexcept;

  /// In the order of the file, part after part.
  [[nodiscard]] std::span<TensorInfo const> tensors() const noexcept;

  /// The tensor, or null where there is none of that name.
  [[nodiscard]] TensorInfo const* find(std::string_view name) const noexcept;

  /// Throws Error{kMissing} that names file and tensor.
  [[nodiscard]] TensorInfo const& tensor(std::string_view name) const;

  /// The path as given to open, or the name given to from_bytes; for messages.
  [[nodiscard]] std::string const& source() const noexcept;

  /// Tells the system that the tensor's bytes will not be read again soon: their memory can go to others. Reading them
  /// again gives the same bytes, from the disk. Precondition: one of this checkpoint's tensors.
  void discard(TensorInfo const& tensor) const noexcept;

 private:
  struct Content;

  /// Indexes the tensors by name. Throws Error{kCorrupt} where a name occurs twice.
  explicit Checkpoint(std::shared_ptr<Content> content);

  std::shared_ptr<Content const> content_;
};

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/io/checkpoint_impl.hpp"
#endif
