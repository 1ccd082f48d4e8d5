// The library says nothing: not on stdout or stderr, and it works where both are closed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "lamina/model/any_model.hpp"
#include "lamina/model/session.hpp"
#include "model/random_model.hpp"

using namespace lamina;
using namespace lamina::test;

namespace {

/// Loads, generates, and runs into errors. Returns the bits of the last logits.
Bits work() {
  auto const any = AnyModel::load(random_checkpoint({.format = Format::kQ4_0}), {.threads = 2});
  return any.visit([](auto const& model) {
    Session session(model, {.capacity = 64});
    session.prefill(random_tokens(20, 107));
    try {
      session.step(100000);
    } catch (Error const&) {}
    try {
      static_cast<void>(Checkpoint::open("/nowhere/model.gguf"));
    } catch (Error const&) {}
    try {
      session.prefill(random_tokens(60, 107));
    } catch (Error const&) {}
    for (Token const t : random_tokens(20, 107, 3)) session.step(t);
    return bits_of(session.logits());
  });
}

/// Stdout and stderr as they were, when the object goes.
class SavedStreams {
 public:
  SavedStreams() : out_(::dup(STDOUT_FILENO)), err_(::dup(STDERR_FILENO)) { std::fflush(nullptr); }
  ~SavedStreams() {
    std::fflush(nullptr);
    ::dup2(out_, STDOUT_FILENO);
    ::dup2(err_, STDERR_FILENO);
    ::close(out_);
    ::close(err_);
  }

 private:
  int out_;
  int err_;
};

}  // namespace

TEST_CASE("nothing is written to stdout or stderr") {
  std::string name = (std::filesystem::temp_directory_path() / "lamina_silence_XXXXXX").string();
  int const file = ::mkstemp(name.data());
  REQUIRE(file >= 0);
  Bits bits;
  struct stat info{};
  {
    SavedStreams const saved;
    ::dup2(file, STDOUT_FILENO);
    ::dup2(file, STDERR_FILENO);
    bits = work();
    std::fflush(nullptr);
    ::fstat(file, &info);
  }
  ::close(file);
  std::filesystem::remove(name);
  CHECK(info.st_size == 0);
  CHECK(!bits.empty());
}

TEST_CASE("it works with stdout and stderr closed, to the same bits") {
  Bits const expected = work();
  Bits bits;
  {
    SavedStreams const saved;
    ::close(STDOUT_FILENO);
    ::close(STDERR_FILENO);
    bits = work();
    // Files that the library opened in their place are closed again: the numbers are free.
    int const first = ::open("/dev/null", O_RDONLY);
    int const second = ::open("/dev/null", O_RDONLY);
    if (first != STDOUT_FILENO || second != STDERR_FILENO) bits.clear();
  }
  CHECK(bits == expected);
}
