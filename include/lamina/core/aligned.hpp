// Cache-line-aligned storage: one owned block, and an arena that hands out parts of one.
#pragma once

#include <sys/mman.h>

#include <cassert>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "lamina/core/error.hpp"
#include "lamina/core/numeric.hpp"

namespace lamina::inline v0_1 {

/// One cache line, and the widest vector register of any target.
inline constexpr std::size_t kAlignment = 64;

/// The smallest page: hardware that follows a stream through memory mostly does so to the end of one.
inline constexpr std::size_t kPageBytes = 4096;

/// What a large block of memory is made of.
enum class Pages {
  kSystem,  // as the system is set: often 4 KiB, each in memory once it is touched
  kHuge,    // 2 MiB where the system gives them, all of it in memory once touched: fewer TLB misses for long streams
};

namespace detail {

/// Blocks of this size and above come straight from the system: their pages are zeroed where they are first touched,
/// which packing does in parallel. With 4 MiB instead, Llama 3.2 1B in Q4_0 loads in 0.24 s and not 0.20 (Zen 3): its
/// smaller matrices were zeroed by one thread.
inline constexpr std::size_t kMappedBytes = std::size_t{256} << 10;

/// Zeroed memory on a 64-byte boundary. Throws std::bad_alloc.
inline void* allocate_zeroed(std::size_t bytes, Pages pages) {
  if (bytes < kMappedBytes) {
    return std::memset(::operator new(bytes, std::align_val_t{kAlignment}), 0, bytes);
  }
  void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  if (pages == Pages::kHuge) ::madvise(p, bytes, MADV_HUGEPAGE);  // a wish: where it is refused, small pages serve
  return p;
}

inline void release(void* p, std::size_t bytes) noexcept {
  if (bytes < kMappedBytes) {
    ::operator delete(p, std::align_val_t{kAlignment});
  } else {
    ::munmap(p, bytes);
  }
}

}  // namespace detail

/// n elements of a trivial type on a 64-byte boundary, zeroed. Moves, does not copy.
template <class T>
  requires std::is_trivially_copyable_v<T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Throws std::bad_alloc where the memory is not to be had.
  explicit AlignedBuffer(std::size_t n, Pages pages = Pages::kHuge) {
    if (n == 0) return;
    auto const bytes = checked_mul(n, sizeof(T));
    if (!bytes) throw std::bad_alloc();
    data_ = static_cast<T*>(detail::allocate_zeroed(*bytes, pages));
    size_ = n;
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AlignedBuffer() {
    if (data_ != nullptr) detail::release(data_, size_ * sizeof(T));
  }

  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] T const* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<T> span() noexcept { return {data_, size_}; }
  [[nodiscard]] std::span<T const> span() const noexcept { return {data_, size_}; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A bump allocator over one block, zeroed at first: sized once, and maybe refilled, so that a decode step allocates
/// nothing.
class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t bytes) : block_(bytes) {}
  /// What was taken stays where it is. The other one is empty.
  Arena(Arena&& other) noexcept : block_(std::move(other.block_)), used_(std::exchange(other.used_, 0)) {}
  Arena& operator=(Arena&& other) noexcept {
    Arena taken(std::move(other));
    std::swap(block_, taken.block_);
    std::swap(used_, taken.used_);
    return *this;
  }
  ~Arena() = default;

  /// Bytes that n elements of T take, padding included. Sum these to size an arena.
  template <class T>
  static constexpr std::size_t bytes_for(std::size_t n) noexcept {
    return round_up(n * sizeof(T), kAlignment);
  }

  /// n elements of T on a 64-byte boundary; their contents are left over from earlier use.
  /// Precondition: they fit.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::span<T> take(std::size_t n) noexcept {
    assert(fits<T>(n));
    std::size_t const bytes = bytes_for<T>(n);
    auto* p = reinterpret_cast<T*>(block_.data() + used_);
    used_ += bytes;
    return {p, n};
  }

  /// Takes back everything that was handed out.
  void reset() noexcept { used_ = 0; }
  [[nodiscard]] std::size_t capacity() const noexcept { return block_.size(); }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }
  [[nodiscard]] std::size_t room() const noexcept { return block_.size() - used_; }
  template <class T>
  [[nodiscard]] bool fits(std::size_t n) const noexcept {
    return n <= room() / sizeof(T) && bytes_for<T>(n) <= room();
  }

 private:
  AlignedBuffer<std::byte> block_;
  std::size_t used_ = 0;
};

}  // namespace lamina::inline v0_1
