// A cursor over untrusted little-endian bytes. Every read is checked; a failure names the file, the byte and the
// subject.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "lamina/core/error.hpp"

namespace lamina::inline v0_1::detail {

static_assert(std::endian::native == std::endian::little, "lamina reads and writes checkpoints on little-endian hosts");

/// Text that came from a file, fit for a message: at most 96 bytes of it, what is not printable ASCII as \xNN.
inline std::string printable(std::string_view text) {
  constexpr std::size_t kMax = 96;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (char const c : text.substr(0, kMax)) {
    auto const byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15u];
    }
  }
  if (text.size() > kMax) out += "...";
  return out;
}

inline std::string_view as_text(std::span<std::byte const> bytes) noexcept {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

/// The T at p, wherever p lies. Precondition: sizeof(T) bytes are there.
template <class T>
  requires std::is_trivially_copyable_v<T>
T load(std::byte const* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

class ByteReader {
 public:
  /// `source` names the file in messages; it must outlive the reader, as must the bytes.
  ByteReader(std::span<std::byte const> bytes, std::string_view source) : bytes_(bytes), source_(source) {}

  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - offset_; }
  [[nodiscard]] std::string_view source() const noexcept { return source_; }

  /// What messages name from here on: subject("key", "general.name"). The name must stay alive until the next call.
  void subject(std::string_view kind, std::string_view name = {}) noexcept {
    kind_ = kind;
    name_ = name;
  }

  template <class T>
  T read(std::string_view what) {
    return load<T>(take(sizeof(T), what).data());
  }

  /// The next n bytes. `what` says in the message what was to be read.
  std::span<std::byte const> take(std::uint64_t n, std::string_view what) {
    if (n > remaining()) fail_here(Errc::kCorrupt, what, " needs ", n, " bytes, ", remaining(), " are left");
    auto const part = bytes_.subspan(offset_, static_cast<std::size_t>(n));
    offset_ += part.size();
    return part;
  }

  /// A GGUF string: a 64-bit length, then that many bytes.
  std::string_view read_string(std::string_view what) { return as_text(take(read<std::uint64_t>(what), what)); }

  /// A 64-bit count of elements that take at least `min_bytes` each, so that the file can back what it promises.
  std::size_t read_count(std::size_t min_bytes, std::string_view what) {
    auto const count = read<std::uint64_t>(what);
    if (count > remaining() / min_bytes) {
      fail_here(Errc::kCorrupt, what, " of ", count, " does not fit into the ", remaining(), " bytes that are left");
    }
    return static_cast<std::size_t>(count);
  }

  /// Throws Error: source, offset, subject, then the parts.
  template <class... Parts>
  [[noreturn]] void fail_here(Errc code, Parts const&... parts) const {
    fail(code, source_, ": byte ", offset_, place(), ": ", parts...);
  }

 private:
  [[nodiscard]] std::string place() const {
    if (kind_.empty()) return {};
    std::string text = ", " + std::string(kind_);
    if (!name_.empty()) text += " '" + printable(name_) + "'";
    return text;
  }

  std::span<std::byte const> bytes_;
  std::string_view source_;
  std::string_view kind_;
  std::string_view name_;
  std::size_t offset_ = 0;
};

}  // namespace lamina::inline v0_1::detail
