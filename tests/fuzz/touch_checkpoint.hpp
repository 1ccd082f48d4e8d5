// Opens bytes as a checkpoint and reads all that it gives, for the fuzz targets of io/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "lamina/core/error.hpp"
#include "lamina/io/checkpoint.hpp"

namespace lamina::test {

/// Reads every byte where a sanitizer sees it.
inline void touch(std::span<std::byte const> bytes) {
  [[maybe_unused]] static std::byte volatile sink{};
  std::byte sum{};
  for (std::byte const b : bytes) sum ^= b;
  sink = sum;
}

inline void touch(MetadataArray const& array) {
  switch (array.element_type()) {
    case MetadataType::kString:
      for (std::string_view const s : array.as<std::string_view>()) touch(std::as_bytes(std::span(s)));
      break;
    case MetadataType::kArray:
      for (MetadataArray const& a : array.as<MetadataArray>()) touch(a);
      break;
    case MetadataType::kBool: (void)array.as<bool>(); break;
    case MetadataType::kFloat32:
    case MetadataType::kFloat64: (void)array.as<double>(); break;
    case MetadataType::kUint64: (void)array.as<std::uint64_t>(); break;
    default: (void)array.as<std::int64_t>(); break;
  }
}

/// Reads the key as a T: a wrong type and a value out of range are Errors, as they are to any caller.
template <class T>
void touch_as(Metadata const& metadata, std::string_view key) {
  try {
    (void)metadata.get<T>(key);
  } catch (Error const&) {}
}

inline void touch(Metadata const& metadata) {
  for (MetadataEntry const& entry : metadata.entries()) {
    if (!metadata.contains(entry.key)) std::abort();
    if (entry.type == MetadataType::kArray) touch(*metadata.array(entry.key));
    touch_as<bool>(metadata, entry.key);
    touch_as<std::uint8_t>(metadata, entry.key);
    touch_as<std::int64_t>(metadata, entry.key);
    touch_as<float>(metadata, entry.key);
    touch_as<std::string_view>(metadata, entry.key);
  }
}

inline void open_and_touch(std::span<std::byte const> bytes) {
  try {
    Checkpoint const checkpoint = Checkpoint::from_bytes(nullptr, bytes, "fuzz");
    touch(checkpoint.metadata());
    for (TensorInfo const& tensor : checkpoint.tensors()) {
      if (checkpoint.find(tensor.name) != &tensor) std::abort();
      touch(tensor.bytes);
    }
  } catch (Error const&) {}
}

}  // namespace lamina::test
