// A checkpoint's metadata: ordered keys with typed values, read in place from the file's bytes.
//
//   auto const n_layers = metadata.require<std::size_t>("llama.block_count");
//   auto const base = metadata.get<float>("llama.rope.freq_base").value_or(10000.0f);
//   for (std::string_view token : metadata.require_array<std::string_view>("tokenizer.ggml.tokens")) ...
//
// Values are the bytes of a GGUF file, type by type; other file formats are given the same keys and the same encoding.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/metadata_type.hpp"

namespace lamina::inline v0_1 {

/// A C++ type that a single value is read as.
template <class T>
concept MetadataScalar = std::same_as<T, bool> || detail::MetadataInteger<T> || std::same_as<T, float> ||
                         std::same_as<T, double> || std::same_as<T, std::string_view>;

/// A C++ type that an array's elements are read as; MetadataArray for arrays of arrays.
template <class T>
concept MetadataElement = MetadataScalar<T> || std::same_as<T, MetadataArray>;

/// One array, still encoded. Refers to its Metadata's bytes.
class MetadataArray {
 public:
  [[nodiscard]] MetadataType element_type() const noexcept { return element_type_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// The elements, converted. Strings and nested arrays refer to the file's bytes.
  /// Throws Error{kCorrupt} that names file and key where the elements have another type or an element does not fit T.
  template <MetadataElement T>
  [[nodiscard]] std::vector<T> as() const;

 private:
  friend class Metadata;
  MetadataArray(detail::ByteReader& reader, std::string_view key);

  std::string_view source_;
  std::string_view key_;
  MetadataType element_type_ = MetadataType::kUint8;
  std::size_t size_ = 0;
  std::span<std::byte const> bytes_;  // the elements, encoded one after the other
};

/// One key with its value as GGUF encodes it, without the type's number: a string with its length, an array with its
/// element type and count.
struct MetadataEntry {
  std::string_view key;
  MetadataType type;
  std::span<std::byte const> encoded;
};

/// Immutable; copies share. Lookup is by hash; entries() keeps the order of the file.
class Metadata {
 public:
  Metadata();

  /// Throws Error{kCorrupt} where a key occurs twice. `owner` keeps alive what the entries refer to.
  /// Precondition: every value is well formed.
  Metadata(std::string source, std::vector<MetadataEntry> entries, std::shared_ptr<void const> owner);

  /// The file's name, for messages.
  [[nodiscard]] std::string const& source() const noexcept;
  [[nodiscard]] std::span<MetadataEntry const> entries() const noexcept;
  [[nodiscard]] bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }

  /// The value, or nothing where the key is absent. An integer T takes every integer type, float and double take both
  /// float types. Throws Error{kCorrupt} that names file and key for any other type and for a value outside T's range.
  template <MetadataScalar T>
  [[nodiscard]] std::optional<T> get(std::string_view key) const;

  /// As get, but throws Error{kMissing} that names file and key where the key is absent.
  template <MetadataScalar T>
  [[nodiscard]] T require(std::string_view key) const {
    return present(get<T>(key), key);
  }

  /// The array's elements, by the same rules; `T = MetadataArray` for arrays of arrays.
  template <MetadataElement T>
  [[nodiscard]] std::optional<std::vector<T>> get_array(std::string_view key) const {
    auto const array = this->array(key);
    return array ? std::optional(array->template as<T>()) : std::nullopt;
  }

  template <MetadataElement T>
  [[nodiscard]] std::vector<T> require_array(std::string_view key) const {
    return present(get_array<T>(key), key);
  }

  /// The array still encoded, for its element type and size; nothing where the key is absent.
  [[nodiscard]] std::optional<MetadataArray> array(std::string_view key) const;

 private:
  struct Content;

  [[nodiscard]] MetadataEntry const* find(std::string_view key) const noexcept;

  template <class... Parts>
  [[noreturn]] void fail_at(Errc code, std::string_view key, Parts const&... parts) const {
    fail(code, source(), ": key '", detail::printable(key), "' ", parts...);
  }

  template <class T>
  [[nodiscard]] T present(std::optional<T> value, std::string_view key) const {
    if (!value) fail_at(Errc::kMissing, key, "is missing");
    return *std::move(value);
  }

  std::shared_ptr<Content const> content_;
};

namespace detail {

/// Arrays of arrays that lamina reads: deeper ones would let a small file exhaust the stack.
inline constexpr int kMaxArrayDepth = 8;

/// Reads the number of a type and checks it.
MetadataType read_metadata_type(ByteReader& reader);

/// Moves over a value of the type and checks all of it.
void skip_value(ByteReader& reader, MetadataType type, int depth = 0);

}  // namespace detail

template <MetadataElement T>
std::vector<T> MetadataArray::as() const {
  auto const name = [this] { return std::string(source_) + ": key '" + detail::printable(key_) + "' "; };
  if (!detail::accepts<T>(element_type_)) {
    fail(Errc::kCorrupt, name(), "is an array of ", to_string(element_type_), ", each element expected to be ",
         detail::accepted_name<T>());
  }
  std::vector<T> out;
  out.reserve(size_);
  detail::ByteReader reader(bytes_, source_);
  reader.subject("key", key_);
  for (std::size_t i = 0; i < size_; ++i) {
    if constexpr (std::same_as<T, std::string_view>) {
      out.push_back(reader.read_string("string"));
    } else if constexpr (std::same_as<T, MetadataArray>) {
      out.push_back(MetadataArray(reader, key_));
    } else {
      auto const bytes = reader.take(detail::min_bytes(element_type_), "element");
      auto const value = detail::load_number<T>(element_type_, bytes.data());
      if (!value) fail(Errc::kCorrupt, name(), "has an element ", i, " that does not fit the type it is read as");
      out.push_back(*value);
    }
  }
  return out;
}

template <MetadataScalar T>
std::optional<T> Metadata::get(std::string_view key) const {
  MetadataEntry const* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (!detail::accepts<T>(entry->type)) {
    fail_at(Errc::kCorrupt, key, "has type ", to_string(entry->type), ", expected ", detail::accepted_name<T>());
  }
  if constexpr (std::same_as<T, std::string_view>) {
    return detail::as_text(entry->encoded.subspan(sizeof(std::uint64_t)));
  } else {
    auto const value = detail::load_number<T>(entry->type, entry->encoded.data());
    if (!value) fail_at(Errc::kCorrupt, key, "has a value that does not fit the type it is read as");
    return value;
  }
}

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/io/metadata_impl.hpp"
#endif
