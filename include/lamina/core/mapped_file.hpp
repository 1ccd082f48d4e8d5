// A file mapped read only. The bytes are the page cache's: nothing is copied.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

#include "lamina/core/error.hpp"

namespace lamina::inline v0_1 {

class MappedFile {
 public:
  /// Maps a regular file. Throws Error{kIo} that names the path and the system's reason.
  /// Precondition: nobody truncates the file while it is mapped (the kernel would answer a read with SIGBUS).
  explicit MappedFile(std::filesystem::path const& path) {
    int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO is refused, not waited for
    if (fd < 0) fail(Errc::kIo, path.string(), ": cannot open: ", std::strerror(errno));
    struct stat info{};
    bool const known = ::fstat(fd, &info) == 0;
    if (!known || !S_ISREG(info.st_mode)) {
      ::close(fd);
      fail(Errc::kIo, path.string(), ": not a regular file");
    }
    size_ = static_cast<std::size_t>(info.st_size);
    if (size_ != 0) {
      void* p = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      if (p == MAP_FAILED) {
        int const reason = errno;
        ::close(fd);
        fail(Errc::kIo, path.string(), ": cannot map: ", std::strerror(reason));
      }
      ::madvise(p, size_, MADV_HUGEPAGE);  // a wish: packed weights are read from here at each step
      data_ = static_cast<std::byte const*>(p);
    }
    ::close(fd);
  }

  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  }

  [[nodiscard]] std::span<std::byte const> bytes() const noexcept { return {data_, size_}; }

  /// Tells the system that the pages under `part` will not be read again soon; their memory can go to others.
  void discard(std::span<std::byte const> part) const noexcept {
    auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::size_t const offset = static_cast<std::size_t>(part.data() - data_);
    std::size_t const first = (offset + page - 1) / page * page;
    std::size_t const last = (offset + part.size()) / page * page;
    if (first < last) ::madvise(const_cast<std::byte*>(data_ + first), last - first, MADV_DONTNEED);
  }

 private:
  std::byte const* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace lamina::inline v0_1
