// Builds metadata from C++ values: for the GGUF writer, for readers of other formats, and for tests.
//
//   Metadata const m = MetadataBuilder{}.set("general.architecture", "llama").set("x.shape", std::array{1,
//   2}).build("x");
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/io/metadata.hpp"

namespace lamina::inline v0_1 {

namespace detail {

using Bytes = std::vector<std::byte>;

inline void append(Bytes& out, std::span<std::byte const> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

template <class T>
  requires std::is_arithmetic_v<T>
void append_number(Bytes& out, T value) {
  append(out, std::as_bytes(std::span(&value, 1)));
}

inline void append_string(Bytes& out, std::string_view text) {
  append_number(out, static_cast<std::uint64_t>(text.size()));
  append(out, std::as_bytes(std::span(text)));
}

template <class T>
constexpr bool is_metadata_value() {
  if constexpr (metadata_type_of<T>() != MetadataType::kArray)
    return true;
  else if constexpr (std::ranges::sized_range<T const>) {
    return is_metadata_value<std::ranges::range_value_t<T const>>();
  } else
    return false;
}

/// A value as GGUF stores it, without the number of its type.
template <class T>
void append_value(Bytes& out, T const& value) {
  constexpr MetadataType kType = metadata_type_of<T>();
  if constexpr (kType == MetadataType::kString) {
    append_string(out, value);
  } else if constexpr (kType != MetadataType::kArray) {
    append_number(out, value);
  } else {
    using Element = std::ranges::range_value_t<T const>;
    append_number(out, static_cast<std::uint32_t>(metadata_type_of<Element>()));
    append_number(out, static_cast<std::uint64_t>(std::ranges::size(value)));
    for (auto&& element : value) append_value<Element>(out, element);
  }
}

}  // namespace detail

/// A C++ value that has a GGUF type: bool, a number, text, or a sized range of such values, ranges of ranges too.
/// The type stored is the value's own: std::uint32_t becomes uint32, float float32.
template <class T>
concept MetadataValue = detail::is_metadata_value<T>();

class MetadataBuilder {
 public:
  /// Adds the key, or gives it another value where it is there; keys keep the order in which they first came.
  template <MetadataValue T>
  MetadataBuilder& set(std::string_view key, T const& value) {
    detail::Bytes encoded;
    detail::append_value(encoded, value);
    return set_encoded({key, detail::metadata_type_of<T>(), encoded});
  }

  /// Copies a key with its value as it is, from another Metadata's entries(), say.
  MetadataBuilder& set_encoded(MetadataEntry const& entry) {
    auto const [found, added] = index_.try_emplace(std::string(entry.key), items_.size());
    if (added) items_.emplace_back();
    items_[found->second] = {found->first, entry.type, {entry.encoded.begin(), entry.encoded.end()}};
    return *this;
  }

  /// The keys and values so far; valid until the next change.
  [[nodiscard]] std::vector<MetadataEntry> entries() const { return entries_of(items_); }

  /// `source` stands for the file's name in messages. The metadata owns a copy of the values.
  [[nodiscard]] Metadata build(std::string source) const {
    auto items = std::make_shared<std::vector<Item> const>(items_);
    auto entries = entries_of(*items);
    return {std::move(source), std::move(entries), std::move(items)};
  }

 private:
  struct Item {
    std::string key;
    MetadataType type;
    std::vector<std::byte> encoded;
  };

  static std::vector<MetadataEntry> entries_of(std::vector<Item> const& items) {
    std::vector<MetadataEntry> entries;
    entries.reserve(items.size());
    for (Item const& item : items) entries.push_back({item.key, item.type, item.encoded});
    return entries;
  }

  std::vector<Item> items_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace lamina::inline v0_1
