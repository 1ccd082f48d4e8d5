// Fuzzes the GGUF reader: whatever the bytes, the answer is a checkpoint whose every byte can be read, or an Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "touch_checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  auto const bytes = std::as_bytes(std::span(data, size));
  if (!lamina::detail::is_gguf(bytes)) return -1;  // llama2c_fuzz has those
  lamina::test::open_and_touch(bytes);
  return 0;
}
