// Counts the allocations of a program, every operator new of it. For one file of a test program: it replaces them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_THREAD__)
#define LAMINA_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LAMINA_TEST_TSAN 1
#endif
#endif

namespace lamina::test {

inline std::atomic<std::size_t> allocations{0};

template <class F>
std::size_t allocations_of(F&& f) {
  std::size_t const before = allocations.load();
  f();
  return allocations.load() - before;
}

}  // namespace lamina::test

#if defined(LAMINA_TEST_TSAN)

// ThreadSanitizer brings operators of its own, which cannot be replaced, but tells of each allocation.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(void const volatile*, std::size_t),
                                                         void (*on_free)(void const volatile*));

namespace lamina::test {

__attribute__((disable_sanitizer_instrumentation)) inline void count_allocation(void const volatile*, std::size_t) {
  allocations.fetch_add(1);
}
inline void ignore_free(void const volatile*) {}

inline int const hooks_installed = __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free);

}  // namespace lamina::test

#else

namespace lamina::test {

inline void* counted_allocation(std::size_t n, std::size_t alignment) {
  ++allocations;
  std::size_t const whole = (n + alignment - 1) / alignment * alignment;
  void* p = std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace lamina::test

// The array forms and the nothrow forms call these. Not inlined: GCC 12 would warn of free() on what new gave.
[[gnu::noinline]] void* operator new(std::size_t n) {
  return lamina::test::counted_allocation(n, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t a) {
  return lamina::test::counted_allocation(n, static_cast<std::size_t>(a));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#endif
