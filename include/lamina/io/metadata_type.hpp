// The value types of GGUF metadata: their numbers, names and sizes, and conversion to C++ types.
//
// Source: the GGUF specification (ggml, docs/gguf.md), gguf_metadata_value_type.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "lamina/io/byte_reader.hpp"

namespace lamina::inline v0_1 {

enum class MetadataType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

/// "uint8", ..., "unknown" for a number that GGUF does not define.
constexpr std::string_view to_string(MetadataType type) noexcept {
  switch (type) {
    case MetadataType::kUint8: return "uint8";
    case MetadataType::kInt8: return "int8";
    case MetadataType::kUint16: return "uint16";
    case MetadataType::kInt16: return "int16";
    case MetadataType::kUint32: return "uint32";
    case MetadataType::kInt32: return "int32";
    case MetadataType::kFloat32: return "float32";
    case MetadataType::kBool: return "bool";
    case MetadataType::kString: return "string";
    case MetadataType::kArray: return "array";
    case MetadataType::kUint64: return "uint64";
    case MetadataType::kInt64: return "int64";
    case MetadataType::kFloat64: return "float64";
  }
  return "unknown";
}

class MetadataArray;

namespace detail {

/// Integers that are numbers, not characters or truth values.
template <class T>
concept MetadataInteger =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// The bytes that a value of the type takes at least; exact for numbers. 0 for an unknown type.
constexpr std::size_t min_bytes(MetadataType type) noexcept {
  switch (type) {
    case MetadataType::kUint8:
    case MetadataType::kInt8:
    case MetadataType::kBool: return 1;
    case MetadataType::kUint16:
    case MetadataType::kInt16: return 2;
    case MetadataType::kUint32:
    case MetadataType::kInt32:
    case MetadataType::kFloat32: return 4;
    case MetadataType::kUint64:
    case MetadataType::kInt64:
    case MetadataType::kFloat64:
    case MetadataType::kString: return 8;  // a string's length
    case MetadataType::kArray: return 12;  // element type and count
  }
  return 0;
}

constexpr bool is_integer(MetadataType type) noexcept {
  return min_bytes(type) != 0 && type != MetadataType::kFloat32 && type != MetadataType::kFloat64 &&
         type != MetadataType::kBool && type != MetadataType::kString && type != MetadataType::kArray;
}

/// The GGUF type that stores a T.
template <class T>
constexpr MetadataType metadata_type_of() noexcept {
  if constexpr (std::same_as<T, bool>)
    return MetadataType::kBool;
  else if constexpr (std::same_as<T, float>)
    return MetadataType::kFloat32;
  else if constexpr (std::same_as<T, double>)
    return MetadataType::kFloat64;
  else if constexpr (MetadataInteger<T>) {
    constexpr bool kSigned = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 1)
      return kSigned ? MetadataType::kInt8 : MetadataType::kUint8;
    else if constexpr (sizeof(T) == 2)
      return kSigned ? MetadataType::kInt16 : MetadataType::kUint16;
    else if constexpr (sizeof(T) == 4)
      return kSigned ? MetadataType::kInt32 : MetadataType::kUint32;
    else
      return kSigned ? MetadataType::kInt64 : MetadataType::kUint64;
  } else if constexpr (std::convertible_to<T const&, std::string_view>)
    return MetadataType::kString;
  else
    return MetadataType::kArray;
}

/// Whether get<T> takes a value of the stored type: any integer type for an integer T, either float type for a floating
/// T, else only its own.
template <class T>
constexpr bool accepts(MetadataType stored) noexcept {
  if constexpr (MetadataInteger<T>)
    return is_integer(stored);
  else if constexpr (std::floating_point<T>) {
    return stored == MetadataType::kFloat32 || stored == MetadataType::kFloat64;
  } else if constexpr (std::same_as<T, MetadataArray>)
    return stored == MetadataType::kArray;
  else
    return stored == metadata_type_of<T>();
}

/// What a message calls the types that accepts<T> takes.
template <class T>
constexpr std::string_view accepted_name() noexcept {
  if constexpr (MetadataInteger<T>)
    return "an integer";
  else if constexpr (std::floating_point<T>)
    return "a float";
  else if constexpr (std::same_as<T, bool>)
    return "a bool";
  else if constexpr (std::same_as<T, MetadataArray>)
    return "an array";
  else
    return "a string";
}

template <class T, class Stored>
constexpr std::optional<T> convert_number(Stored value) noexcept {
  if constexpr (MetadataInteger<T>) {
    return std::in_range<T>(value) ? std::optional<T>(static_cast<T>(value)) : std::nullopt;
  } else {
    bool const overflows = std::isfinite(value) &&
                           std::abs(static_cast<double>(value)) > static_cast<double>(std::numeric_limits<T>::max());
    return overflows ? std::nullopt : std::optional<T>(static_cast<T>(value));
  }
}

/// The number at p as a T, or nothing where it is out of T's range. Precondition: accepts<T>(stored).
template <class T>
std::optional<T> load_number(MetadataType stored, std::byte const* p) noexcept {
  if constexpr (std::same_as<T, bool>) {
    return load<std::uint8_t>(p) != 0;
  } else if constexpr (std::floating_point<T>) {
    if (stored == MetadataType::kFloat32) return convert_number<T>(load<float>(p));
    return convert_number<T>(load<double>(p));
  } else {
    switch (stored) {
      case MetadataType::kUint8: return convert_number<T>(load<std::uint8_t>(p));
      case MetadataType::kInt8: return convert_number<T>(load<std::int8_t>(p));
      case MetadataType::kUint16: return convert_number<T>(load<std::uint16_t>(p));
      case MetadataType::kInt16: return convert_number<T>(load<std::int16_t>(p));
      case MetadataType::kUint32: return convert_number<T>(load<std::uint32_t>(p));
      case MetadataType::kInt32: return convert_number<T>(load<std::int32_t>(p));
      case MetadataType::kUint64: return convert_number<T>(load<std::uint64_t>(p));
      case MetadataType::kInt64: return convert_number<T>(load<std::int64_t>(p));
      default: return std::nullopt;
    }
  }
}

}  // namespace detail
}  // namespace lamina::inline v0_1
