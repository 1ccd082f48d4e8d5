// Fuzzes the llama2.c reader and the choice of the format: a checkpoint whose every byte can be read, or an Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "touch_checkpoint.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  lamina::test::open_and_touch(std::as_bytes(std::span(data, size)));
  return 0;
}
