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
#include <unordered_map>
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
  Metadata() : Metadata({}, {}, nullptr) {}

  /// Throws Error{kCorrupt} where a key occurs twice. `owner` keeps alive what the entries refer to.
  /// Precondition: every value is well formed.
  Metadata(std::string source, std::vector<MetadataEntry> entries, std::shared_ptr<void const> owner);

  /// The file's name, for messages.
  [[nodiscard]] std::string const& source() const noexcept { return content_->source; }
  [[nodiscard]] std::span<MetadataEntry const> entries() const noexcept { return content_->entries; }
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
  struct Content {
    std::string source;
    std::vector<MetadataEntry> entries;
    std::unordered_map<std::string_view, std::size_t> index;
    std::shared_ptr<void const> owner;
  };

  [[nodiscard]] MetadataEntry const* find(std::string_view key) const noexcept {
    auto const found = content_->index.find(key);
    return found == content_->index.end() ? nullptr : &content_->entries[found->second];
  }

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

inline MetadataType read_metadata_type(ByteReader& reader) {
  auto const number = reader.read<std::uint32_t>("value type");
  if (min_bytes(static_cast<MetadataType>(number)) == 0) {
    reader.fail_here(Errc::kUnsupported, "value type ", number, " is unknown");
  }
  return static_cast<MetadataType>(number);
}

inline void skip_elements(ByteReader& reader, MetadataType type, std::size_t count, int depth);

/// Moves over a value of the type and checks all of it.
inline void skip_value(ByteReader& reader, MetadataType type, int depth = 0) {
  if (type == MetadataType::kString) {
    reader.read_string("string");
  } else if (type != MetadataType::kArray) {
    skip_elements(reader, type, 1, depth);
  } else {
    if (depth == kMaxArrayDepth) reader.fail_here(Errc::kUnsupported, "arrays nest deeper than ", kMaxArrayDepth);
    auto const element_type = read_metadata_type(reader);
    skip_elements(reader, element_type, reader.read_count(min_bytes(element_type), "array count"), depth + 1);
  }
}

inline void skip_elements(ByteReader& reader, MetadataType type, std::size_t count, int depth) {
  if (type == MetadataType::kString || type == MetadataType::kArray) {
    for (std::size_t i = 0; i < count; ++i) skip_value(reader, type, depth);
    return;
  }
  // No overflow: read_count has seen that count elements fit into the file.
  for (std::byte const b : reader.take(count * min_bytes(type), to_string(type))) {
    if (type != MetadataType::kBool) return;
    if (b > std::byte{1}) reader.fail_here(Errc::kCorrupt, "a bool is ", std::to_integer<int>(b), ", expected 0 or 1");
  }
}

}  // namespace detail

inline MetadataArray::MetadataArray(detail::ByteReader& reader, std::string_view key)
    : source_(reader.source()),
      key_(key),
      element_type_(detail::read_metadata_type(reader)),
      size_(reader.read_count(detail::min_bytes(element_type_), "array count")) {
  detail::ByteReader rest = reader;
  detail::skip_elements(reader, element_type_, size_, 1);
  bytes_ = rest.take(reader.offset() - rest.offset(), "array");
}

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

inline Metadata::Metadata(std::string source, std::vector<MetadataEntry> entries, std::shared_ptr<void const> owner) {
  auto content = std::make_shared<Content>();
  content->source = std::move(source);
  content->entries = std::move(entries);
  content->owner = std::move(owner);
  content->index.reserve(content->entries.size());
  for (std::size_t i = 0; i < content->entries.size(); ++i) {
    std::string_view const key = content->entries[i].key;
    if (!content->index.emplace(key, i).second) {
      fail(Errc::kCorrupt, content->source, ": key '", detail::printable(key), "' occurs twice");
    }
  }
  content_ = std::move(content);
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

inline std::optional<MetadataArray> Metadata::array(std::string_view key) const {
  MetadataEntry const* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  if (entry->type != MetadataType::kArray) {
    fail_at(Errc::kCorrupt, key, "has type ", to_string(entry->type), ", expected an array");
  }
  detail::ByteReader reader(entry->encoded, source());
  reader.subject("key", entry->key);
  return MetadataArray(reader, entry->key);
}

}  // namespace lamina::inline v0_1
