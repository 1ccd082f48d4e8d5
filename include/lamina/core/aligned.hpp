// Cache-line-aligned storage: one owned block, and an arena that hands out parts of one.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "lamina/core/error.hpp"
#include "lamina/core/numeric.hpp"

namespace lamina::inline v0_1 {

/// One cache line, and the widest vector register of any target.
inline constexpr std::size_t kAlignment = 64;

/// n elements of a trivial type on a 64-byte boundary, zeroed. Moves, does not copy.
template <class T>
  requires std::is_trivially_copyable_v<T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Throws std::bad_alloc where the memory is not to be had.
  explicit AlignedBuffer(std::size_t n) : size_(n) {
    if (n == 0) return;
    auto const bytes = checked_mul(n, sizeof(T));
    if (!bytes) throw std::bad_alloc();
    data_.reset(static_cast<T*>(::operator new(*bytes, std::align_val_t{kAlignment})));
    std::memset(static_cast<void*>(data_.get()), 0, *bytes);
  }

  [[nodiscard]] T* data() noexcept { return data_.get(); }
  [[nodiscard]] T const* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<T> span() noexcept { return {data_.get(), size_}; }
  [[nodiscard]] std::span<T const> span() const noexcept { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const noexcept { ::operator delete(p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

/// A bump allocator over one block: sized once, refilled each step, so that a decode step allocates nothing.
class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t bytes) : block_(bytes) {}

  /// Bytes that n elements of T take, padding included. Sum these to size an arena.
  template <class T>
  static constexpr std::size_t bytes_for(std::size_t n) noexcept {
    return round_up(n * sizeof(T), kAlignment);
  }

  /// n elements of T on a 64-byte boundary; their contents are left over from earlier use.
  /// Precondition: they fit (the arena was sized with bytes_for).
  template <class T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::span<T> take(std::size_t n) noexcept {
    std::size_t const bytes = bytes_for<T>(n);
    assert(bytes <= block_.size() - used_);
    auto* p = reinterpret_cast<T*>(block_.data() + used_);
    used_ += bytes;
    return {p, n};
  }

  /// Takes back everything that was handed out.
  void reset() noexcept { used_ = 0; }
  [[nodiscard]] std::size_t capacity() const noexcept { return block_.size(); }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  AlignedBuffer<std::byte> block_;
  std::size_t used_ = 0;
};

}  // namespace lamina::inline v0_1
