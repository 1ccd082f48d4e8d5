// A file that appears whole or not at all: written under a temporary name beside it, renamed at commit.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"

namespace lamina::inline v0_1::detail {

/// All failures are Error{kIo} that names the path and the system's reason. Whatever was at the path stays until
/// commit.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path path) : path_(std::move(path)) {
    buffer_.reserve(kBufferBytes);
    // The process id keeps programs apart, O_EXCL everything else.
    for (int attempt = 0; fd_ < 0; ++attempt) {
      temporary_ = path_;
      temporary_ += ".partial-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
      fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd_ < 0 && (errno != EEXIST || attempt == 100)) refuse("cannot create");
    }
  }

  OutputFile(OutputFile&& other) noexcept
      : path_(std::move(other.path_)),
        temporary_(std::move(other.temporary_)),
        fd_(std::exchange(other.fd_, -1)),
        exists_(std::exchange(other.exists_, false)),
        offset_(other.offset_),
        buffer_(std::move(other.buffer_)) {}
  OutputFile& operator=(OutputFile&&) = delete;

  ~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
    if (exists_) ::unlink(temporary_.c_str());
  }

  [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

  void write(std::span<std::byte const> bytes) {
    offset_ += bytes.size();
    if (buffer_.size() + bytes.size() > kBufferBytes) flush();
    if (bytes.size() >= kBufferBytes) {
      write_through(bytes);
    } else {
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    }
  }

  /// Zeros up to the next multiple of the alignment.
  void pad(std::uint64_t alignment) {
    std::uint64_t n = (alignment - offset_ % alignment) % alignment;
    std::array<std::byte, 4096> const zeros{};
    for (; n != 0; n -= std::min<std::uint64_t>(n, zeros.size())) {
      write(std::span(zeros).first(std::min<std::uint64_t>(n, zeros.size())));
    }
  }

  /// Puts all bytes on the disk; the file is not yet at its path.
  void finish() {
    flush();
    if (::fsync(fd_) != 0) refuse("cannot write");
    int const fd = std::exchange(fd_, -1);
    if (::close(fd) != 0) refuse("cannot write");
  }

  /// Puts the finished file at its path, in place of what was there. Precondition: finish() has returned.
  void commit() {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) refuse("cannot rename into place");
    exists_ = false;
  }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

  void flush() {
    write_through(buffer_);
    buffer_.clear();
  }

  void write_through(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      ::ssize_t const n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) refuse("cannot write");
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }

  [[noreturn]] void refuse(char const* what) const {
    int const reason = errno;
    fail(Errc::kIo, path_.string(), ": ", what, ": ", std::strerror(reason));
  }

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int fd_ = -1;
  bool exists_ = true;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace lamina::inline v0_1::detail
