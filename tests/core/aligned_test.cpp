#include "lamina/core/aligned.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

namespace {

using lamina::AlignedBuffer;
using lamina::Arena;

static_assert(!std::is_copy_constructible_v<AlignedBuffer<float>>);

bool is_aligned(void const* p) { return reinterpret_cast<std::uintptr_t>(p) % lamina::kAlignment == 0; }

TEST_CASE("an aligned buffer is zeroed, on a 64-byte boundary, and moves") {
  for (std::size_t const n : {1U, 7U, 64U, 100'000U, 3'000'000U}) {
    AlignedBuffer<std::uint16_t> buffer(n);
    CHECK(is_aligned(buffer.data()));
    CHECK(buffer.size() == n);
    CHECK(std::ranges::all_of(buffer.span(), [](auto x) { return x == 0; }));
    buffer.data()[n - 1] = 5;
    AlignedBuffer<std::uint16_t> const moved = std::move(buffer);
    CHECK(moved.span().back() == 5);
  }
  CHECK(AlignedBuffer<float>(0).span().empty());
}

TEST_CASE("a size that no address space holds is bad_alloc, not a small block") {
  CHECK_THROWS_AS(AlignedBuffer<double>(std::numeric_limits<std::size_t>::max() / 2), std::bad_alloc);
}

TEST_CASE("an arena hands out disjoint aligned parts and takes all of them back") {
  Arena arena(Arena::bytes_for<float>(5) + Arena::bytes_for<std::byte>(1) + Arena::bytes_for<double>(8));
  auto const floats = arena.take<float>(5);
  auto const bytes = arena.take<std::byte>(1);
  auto const doubles = arena.take<double>(8);
  CHECK(arena.used() == arena.capacity());
  CHECK(arena.room() == 0);
  CHECK(is_aligned(floats.data()));
  CHECK(is_aligned(bytes.data()));
  CHECK(is_aligned(doubles.data()));
  CHECK(reinterpret_cast<std::byte*>(floats.data()) + lamina::kAlignment == bytes.data());

  arena.reset();
  CHECK(arena.used() == 0);
  CHECK(arena.take<float>(5).data() == floats.data());
  CHECK(Arena().capacity() == 0);
}

TEST_CASE("an arena that was moved from has nothing, and what was taken stays where it is") {
  Arena first(256);
  auto const taken = first.take<std::byte>(64);
  taken[0] = std::byte{7};
  Arena second(std::move(first));
  CHECK(second.used() == 64);
  CHECK(taken[0] == std::byte{7});
  Arena third(64);
  third = std::move(second);
  CHECK(third.room() == 192);
  CHECK(taken[0] == std::byte{7});
  for (Arena const* const moved : {&first, &second}) {  // NOLINT(bugprone-use-after-move): what it is then is checked
    CHECK(moved->capacity() == 0);
    CHECK(moved->room() == 0);
    CHECK_FALSE(moved->fits<std::byte>(1));
  }
  CHECK(third.fits<float>(48));
  CHECK_FALSE(third.fits<float>(49));
  CHECK_FALSE(third.fits<float>(std::numeric_limits<std::size_t>::max() - 1));  // bytes would wrap to few
}

}  // namespace
