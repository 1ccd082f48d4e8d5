#include "lamina/core/mapped_file.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace {

using lamina::Errc;
using lamina::Error;
using lamina::MappedFile;

// A file in a fresh temporary folder that goes with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string const& content) {
    std::string name = (std::filesystem::temp_directory_path() / "lamina_mapped_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
    std::ofstream(path(), std::ios::binary) << content;
  }
  TemporaryFile(TemporaryFile const&) = delete;
  TemporaryFile& operator=(TemporaryFile const&) = delete;
  ~TemporaryFile() { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "file.bin"; }
  [[nodiscard]] std::filesystem::path const& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

std::string text_of(MappedFile const& file) {
  return {reinterpret_cast<char const*>(file.bytes().data()), file.bytes().size()};
}

// The error that mapping `path` raises.
Error error_of(std::filesystem::path const& path) {
  try {
    MappedFile const file(path);
  } catch (Error const& error) {
    return error;
  }
  FAIL("no error");
  return {Errc::kIo, ""};
}

TEST_CASE("a mapped file shows the file's bytes, and keeps them when it moves") {
  TemporaryFile const temporary("0123456789");
  MappedFile file(temporary.path());
  CHECK(text_of(file) == "0123456789");

  std::byte const* const data = file.bytes().data();
  MappedFile moved = std::move(file);
  CHECK(moved.bytes().data() == data);
  CHECK(file.bytes().empty());  // NOLINT(bugprone-use-after-move): the moved-from state is part of the contract

  TemporaryFile const other("other");
  moved = MappedFile(other.path());
  CHECK(text_of(moved) == "other");
}

TEST_CASE("an empty file maps to no bytes") {
  TemporaryFile const temporary("");
  CHECK(MappedFile(temporary.path()).bytes().empty());
}

TEST_CASE("the content survives a discard of any part") {
  std::string content(3 * 4096 + 100, 'x');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i % 26);
  TemporaryFile const temporary(content);
  MappedFile const file(temporary.path());
  file.discard(file.bytes());
  file.discard(file.bytes().subspan(5000, 10));
  file.discard(file.bytes().subspan(100, 9000));
  CHECK(text_of(file) == content);
}

TEST_CASE("what cannot be mapped is an Error that names the path") {
  TemporaryFile const temporary("x");

  Error const absent = error_of(temporary.folder() / "absent.gguf");
  CHECK(absent.code() == Errc::kIo);
  CHECK(std::string(absent.what()).find("absent.gguf: cannot open: No such file or directory") != std::string::npos);

  Error const folder = error_of(temporary.folder());
  CHECK(folder.code() == Errc::kIo);
  CHECK(std::string(folder.what()) == temporary.folder().string() + ": not a regular file");

  CHECK(std::string(error_of("/dev/null").what()) == "/dev/null: not a regular file");
}

}  // namespace
