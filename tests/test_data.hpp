// Where tests find the data that is not part of the project, and how they skip without it.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

namespace lamina::test {

/// The path of a file of ../shared/data, or an empty path where it is absent.
inline std::filesystem::path shared_data(std::string const& name) {
  std::filesystem::path path = std::filesystem::path(LAMINA_SHARED_DATA) / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path{};
}

}  // namespace lamina::test

/// Ends the test case, saying so, where the file is absent; else declares `path`.
#define LAMINA_REQUIRE_SHARED(path, name)                               \
  auto const path = ::lamina::test::shared_data(name);                  \
  if (path.empty()) {                                                   \
    MESSAGE("skipped: " << (name) << " is not in " LAMINA_SHARED_DATA); \
    return;                                                             \
  }                                                                     \
  static_cast<void>(0)
