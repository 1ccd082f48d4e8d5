// Fuzzes the GGUF reader: whatever the bytes, the answer is a checkpoint whose every byte can be read, or an Error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include "touch_checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const given = std::as_bytes(std::span(data, size));
  if (!lamina::detail::is_gguf(given)) return -1;  // llama2c_fuzz has those
  // Where a mapped file would lie, so that packed matrices are read too; not a byte more, so that a sanitizer sees it.
  constexpr std::align_val_t kWhere{64};
  auto const free = [](void* p) { ::operator delete(p, kWhere); };
  std::unique_ptr<void, decltype(free)> const copy(::operator new(size, kWhere), free);
  std::span const bytes(static_cast<std::byte*>(copy.get()), size);
  std::ranges::copy(given, bytes.begin());
  lamina::test::open_and_touch(bytes);
  return 0;
}
