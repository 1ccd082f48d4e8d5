// A child process with pipes to its stdin, stdout and stderr: how the tests drive the example programs, and read what
// they write.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace lamina::test {

/// The built example of that name, or an empty path.
inline std::filesystem::path example(std::string const& name) {
  auto const path = std::filesystem::path(LAMINA_TEST_BINARY_DIR) / ".." / "examples" / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path{};
}

class Child {
 public:
  Child(std::filesystem::path const& program, std::vector<std::string> arguments) {
    std::signal(SIGPIPE, SIG_IGN);  // a child that exits early must not end the test
    for (auto* ends : {in_, out_, err_}) {
      if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    }
    arguments.insert(arguments.begin(), program.string());
    std::vector<char*> argv;
    for (auto& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in_[0], 0);
      ::dup2(out_[1], 1);
      ::dup2(err_[1], 2);
      for (auto* ends : {in_, out_, err_}) {
        ::close(ends[0]);
        ::close(ends[1]);
      }
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(in_[0]);
    ::close(out_[1]);
    ::close(err_[1]);
  }
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    close_stdin();
    ::close(out_[0]);
    ::close(err_[0]);
  }
  Child(Child const&) = delete;
  Child& operator=(Child const&) = delete;

  void write(std::string_view text) {
    while (!text.empty()) {
      auto const n = ::write(in_[1], text.data(), text.size());
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void close_stdin() {
    if (in_[1] >= 0) ::close(in_[1]);
    in_[1] = -1;
  }
  void interrupt() const { ::kill(pid_, SIGINT); }

  /// Some more of stdout; empty at its end.
  std::string read_some() { return read(out_[0]); }
  std::string read_some_errors() { return read(err_[0]); }

  struct Result {
    int code;  // the exit code, or minus the signal
    std::string out;
    std::string err;
  };
  /// Closes stdin, and reads all that is left until the child ends. stderr is read by a thread, so that no pipe fills.
  Result finish() {
    close_stdin();
    Result result{};
    std::thread reader([&] { result.err = read_all(err_[0]); });
    result.out = read_all(out_[0]);
    reader.join();
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return result;
  }

 private:
  static std::string read(int fd) {
    char bytes[4096];
    auto const n = ::read(fd, bytes, sizeof bytes);
    return {bytes, n > 0 ? static_cast<std::size_t>(n) : 0};
  }
  static std::string read_all(int fd) {
    std::string text;
    for (std::string part = read(fd); !part.empty(); part = read(fd)) text += part;
    return text;
  }

  int in_[2] = {-1, -1};
  int out_[2] = {-1, -1};
  int err_[2] = {-1, -1};
  pid_t pid_ = -1;
};

inline Child::Result run(std::filesystem::path const& program, std::vector<std::string> arguments,
                         std::string_view input = "") {
  Child child(program, std::move(arguments));
  child.write(input);
  return child.finish();
}

/// All bytes of a file; none where it cannot be read.
inline std::string read_file(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What the programs print with --ids, as numbers.
inline std::vector<int> ids_of(std::string const& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<int>(stream), {}};
}

}  // namespace lamina::test

/// Ends the test case, saying so, where the example is not built; else declares `program`.
#define LAMINA_REQUIRE_EXAMPLE(program, name)                      \
  auto const program = ::lamina::test::example(name);              \
  if (program.empty()) {                                           \
    MESSAGE("skipped: the example " << (name) << " is not built"); \
    return;                                                        \
  }                                                                \
  static_cast<void>(0)
