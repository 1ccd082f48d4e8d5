#include "lamina/core/error.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <type_traits>

namespace {

using lamina::Errc;
using lamina::Error;

static_assert(std::is_base_of_v<std::runtime_error, Error>);
static_assert(std::is_nothrow_copy_constructible_v<Error>, "a throw copies it");
static_assert(lamina::to_string(Errc::kContextFull) == "ContextFull");

TEST_CASE("fail streams its parts into the message and keeps the code") {
  try {
    lamina::fail(Errc::kShape, "model.gguf", ": tensor '", std::string("output.weight"), "' has ", 3, " rows");
    FAIL("fail returned");
  } catch (Error const& error) {
    CHECK(error.code() == Errc::kShape);
    CHECK(error.what() == std::string("model.gguf: tensor 'output.weight' has 3 rows"));
  }
}

TEST_CASE("fail takes all that a stream takes") {
  struct Bits {
    unsigned three : 2;
  } const bits{3};
  char array[] = "array";
  char* const pointer = array;
  auto const message = [](auto const&... parts) -> std::string {
    try {
      lamina::fail(Errc::kIo, parts...);
    } catch (Error const& error) {
      return error.what();
    }
  };
  CHECK(message().empty());
  CHECK(message(array, ' ', pointer, ' ', std::string_view("view"), ' ', std::string("temporary")) ==
        "array array view temporary");
  CHECK(message(true, ' ', -1, ' ', std::size_t{1} << 40, ' ', 0.5F, ' ', unsigned{bits.three}) ==
        "1 -1 1099511627776 0.5 3");
}

TEST_CASE("every code has a name of its own") {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::kCancelled); ++code) {
    names.insert(lamina::to_string(static_cast<Errc>(code)));
  }
  CHECK(names.size() == static_cast<std::size_t>(Errc::kCancelled) + 1);
  CHECK_FALSE(names.contains("Unknown"));
  CHECK(lamina::to_string(static_cast<Errc>(255)) == "Unknown");
}

}  // namespace
