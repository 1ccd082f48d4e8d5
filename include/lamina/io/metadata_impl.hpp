// How values are found and checked. See compiled.hpp.
#pragma once

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

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/metadata.hpp"
#include "lamina/io/metadata_type.hpp"

namespace lamina::inline v0_1 {

namespace detail {

LAMINA_INLINE MetadataType read_metadata_type(ByteReader& reader) {
  auto const number = reader.read<std::uint32_t>("value type");
  if (min_bytes(static_cast<MetadataType>(number)) == 0) {
    reader.fail_here(Errc::kUnsupported, "value type ", number, " is unknown");
  }
  return static_cast<MetadataType>(number);
}

inline void skip_elements(ByteReader& reader, MetadataType type, std::size_t count, int depth);

LAMINA_INLINE void skip_value(ByteReader& reader, MetadataType type, int depth) {
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

LAMINA_INLINE MetadataArray::MetadataArray(detail::ByteReader& reader, std::string_view key)
    : source_(reader.source()),
      key_(key),
      element_type_(detail::read_metadata_type(reader)),
      size_(reader.read_count(detail::min_bytes(element_type_), "array count")) {
  detail::ByteReader rest = reader;
  detail::skip_elements(reader, element_type_, size_, 1);
  bytes_ = rest.take(reader.offset() - rest.offset(), "array");
}

struct Metadata::Content {
  std::string source;
  std::vector<MetadataEntry> entries;
  std::unordered_map<std::string_view, std::size_t> index;
  std::shared_ptr<void const> owner;
};

LAMINA_INLINE Metadata::Metadata() : Metadata({}, {}, nullptr) {}

LAMINA_INLINE Metadata::Metadata(std::string source, std::vector<MetadataEntry> entries,
                                 std::shared_ptr<void const> owner) {
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

LAMINA_INLINE std::string const& Metadata::source() const noexcept { return content_->source; }

LAMINA_INLINE std::span<MetadataEntry const> Metadata::entries() const noexcept { return content_->entries; }

LAMINA_INLINE MetadataEntry const* Metadata::find(std::string_view key) const noexcept {
  auto const found = content_->index.find(key);
  return found == content_->index.end() ? nullptr : &content_->entries[found->second];
}

LAMINA_INLINE std::optional<MetadataArray> Metadata::array(std::string_view key) const {
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
