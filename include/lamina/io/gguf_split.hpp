// Models split over several GGUF files: their names, NAME-00001-of-00003.gguf, and the keys that number the parts.
//
// The convention is llama.cpp's (tools/gguf-split): split.no counts from 0, names from 1; the first part holds all
// other metadata; offsets are each file's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lamina/core/error.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/metadata.hpp"

namespace lamina::inline v0_1::detail {

inline constexpr std::string_view kSplitNoKey = "split.no";
inline constexpr std::string_view kSplitCountKey = "split.count";
inline constexpr std::string_view kSplitTensorsKey = "split.tensors.count";
inline constexpr std::size_t kMaxParts = 65535;  // split.count is a uint16

/// One part's place: number `index` (from 0) of `count`.
struct SplitPart {
  std::size_t index = 0;
  std::size_t count = 1;
  friend bool operator==(SplitPart const&, SplitPart const&) = default;
};

inline std::string five_digits(std::size_t n) {
  std::string const digits = std::to_string(n);
  return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

/// "-00001-of-00003.gguf"
inline std::string split_suffix(SplitPart part) {
  return "-" + five_digits(part.index + 1) + "-of-" + five_digits(part.count) + ".gguf";
}

/// What the metadata says; one of one where it says nothing. Throws Error{kCorrupt} for a number past the count.
inline SplitPart split_part(Metadata const& metadata) {
  SplitPart part;
  part.count = metadata.get<std::uint16_t>(kSplitCountKey).value_or(1);
  if (part.count <= 1) return {};
  part.index = metadata.require<std::uint16_t>(kSplitNoKey);
  if (part.index >= part.count) {
    fail(Errc::kCorrupt, metadata.source(), ": key '", kSplitNoKey, "' is ", part.index, " of ", part.count, " parts");
  }
  return part;
}

/// NAME of NAME-00001-of-00003.gguf. Throws Error{kCorrupt} where the file's name contradicts its metadata: its sister
/// files could not be found.
inline std::string split_prefix(std::string const& path, SplitPart part) {
  std::string const suffix = split_suffix(part);
  if (!path.ends_with(suffix)) {
    fail(Errc::kCorrupt, path, ": by its metadata this is part ", part.index + 1, " of ", part.count,
         ", so its name must end in ", suffix);
  }
  return path.substr(0, path.size() - suffix.size());
}

}  // namespace lamina::inline v0_1::detail
