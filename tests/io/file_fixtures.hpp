// What the tests of io/ share: temporary folders, files made byte by byte, and errors as values.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/error.hpp"
#include "lamina/core/function_ref.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/io/metadata_builder.hpp"

namespace lamina::test {

using Bytes = std::vector<std::byte>;

/// A fresh folder that goes with the object, files and all.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lamina_io_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryFolder(TemporaryFolder const&) = delete;
  TemporaryFolder& operator=(TemporaryFolder const&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::filesystem::path file(std::string const& name) const { return path_ / name; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (auto const& entry : std::filesystem::directory_iterator(path_))
      out.push_back(entry.path().filename().string());
    return out;
  }

 private:
  std::filesystem::path path_;
};

inline void write_file(std::filesystem::path const& path, std::span<std::byte const> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline Bytes read_file(std::filesystem::path const& path) {
  Bytes bytes(std::filesystem::file_size(path));
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(in.good());
  return bytes;
}

/// Opens a copy in a block of exactly that size, so that a sanitizer sees each byte read past the end.
inline Checkpoint open_bytes(std::span<std::byte const> bytes, std::string name = "test.gguf") {
  std::shared_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  std::span<std::byte const> const span(copy.get(), bytes.size());
  return Checkpoint::from_bytes(std::move(copy), span, std::move(name));
}

/// The lamina::Error that f throws; anything else fails the test. No templates: hundreds of calls compile quickly.
inline Error error_of(FunctionRef<void()> f) {
  try {
    f();
  } catch (Error const& error) {
    return error;
  }
  FAIL("no error");
  return {Errc::kIo, ""};
}

/// Checks that f throws an Error of that code whose message has all those parts.
inline void check_error(FunctionRef<void()> f, Errc code, std::initializer_list<std::string_view> parts) {
  Error const error = error_of(f);
  std::string_view const message = error.what();
  INFO(message);
  CHECK(to_string(error.code()) == to_string(code));
  for (std::string_view const part : parts) {
    CAPTURE(part);
    CHECK(message.find(part) != std::string_view::npos);
  }
}

/// GGUF bytes put down one field after the other, right or wrong.
class GgufBytes {
 public:
  GgufBytes(std::uint64_t n_tensors, std::uint64_t n_keys, std::uint32_t version = 3) {
    text("GGUF").u32(version).u64(n_tensors).u64(n_keys);
  }

  GgufBytes& text(std::string_view s) {
    detail::append(bytes_, std::as_bytes(std::span(s)));
    return *this;
  }
  GgufBytes& u8(std::uint8_t v) { return number(v); }
  GgufBytes& u32(std::uint32_t v) { return number(v); }
  GgufBytes& u64(std::uint64_t v) { return number(v); }
  GgufBytes& string(std::string_view s) { return u64(s.size()).text(s); }
  GgufBytes& key(std::string_view name, MetadataType type) {
    return string(name).u32(static_cast<std::uint32_t>(type));
  }

  GgufBytes& tensor(std::string_view name, std::vector<std::uint64_t> const& dims, std::uint32_t type,
                    std::uint64_t offset) {
    string(name).u32(static_cast<std::uint32_t>(dims.size()));
    for (std::uint64_t const d : dims) u64(d);
    return u32(type).u64(offset);
  }

  /// Padding up to the data, then n bytes 0, 1, 2, ...
  GgufBytes& data(std::size_t n, std::size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    for (std::size_t i = 0; i < n; ++i) bytes_.push_back(static_cast<std::byte>(i & 255u));
    return *this;
  }

  [[nodiscard]] Bytes const& bytes() const { return bytes_; }
  Checkpoint open() const { return open_bytes(bytes_); }

 private:
  template <class T>
  GgufBytes& number(T value) {
    detail::append_number(bytes_, value);
    return *this;
  }

  Bytes bytes_;
};

}  // namespace lamina::test
