// A text file, whole.
#pragma once

#include <filesystem>
#include <string>

#include "lamina/core/mapped_file.hpp"

namespace examples {

/// Throws lamina::Error{kIo} that names the file.
inline std::string read_text_file(std::filesystem::path const& path) {
  lamina::MappedFile const file(path);
  auto const bytes = file.bytes();
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

}  // namespace examples
