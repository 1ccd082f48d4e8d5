// What the user types: lines, joined where one ends with a backslash, and blocks between lines of """.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "interrupts.hpp"

namespace examples {

class Input {
 public:
  /// Prompts are written to stdout if `show_prompts`.
  Input(Interrupts& interrupts, bool show_prompts) : interrupts_(interrupts), show_prompts_(show_prompts) {}

  /// The next message, maybe empty; nothing at the end of the input (Ctrl-D) and after Ctrl-C.
  std::optional<std::string> message() {
    prompt("> ");
    auto line = next_line();
    if (!line) return std::nullopt;
    if (*line == kBlock) return block();
    std::string text;
    while (line->ends_with('\\')) {
      line->back() = '\n';
      text += *line;
      prompt(". ");
      line = next_line();
      if (!line) return text;
    }
    return text + *line;
  }

  /// All that is left of the input.
  std::string rest() {
    std::string text;
    while (auto line = next_line()) text += *line + "\n";
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }

 private:
  static constexpr char const* kBlock = "\"\"\"";

  std::string block() {
    std::string text;
    for (prompt(". ");; prompt(". ")) {
      auto const line = next_line();
      if (!line || *line == kBlock) break;
      text += *line + "\n";
    }
    if (!text.empty()) text.pop_back();
    return text;
  }

  void prompt(char const* text) const {
    if (!show_prompts_) return;
    std::fputs(text, stdout);
    std::fflush(stdout);
  }

  std::optional<std::string> next_line() {
    for (;;) {
      if (auto const end = buffer_.find('\n'); end != std::string::npos) return take(end, end + 1);
      if (at_end_) return buffer_.empty() ? std::nullopt : take(buffer_.size(), buffer_.size());
      if (!interrupts_.wait_for_input(STDIN_FILENO)) {
        at_end_ = true;
        buffer_.clear();
        return std::nullopt;
      }
      char bytes[4096];
      ssize_t const n = ::read(STDIN_FILENO, bytes, sizeof bytes);
      at_end_ = n <= 0;
      if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
    }
  }

  std::optional<std::string> take(std::size_t length, std::size_t remove) {
    std::string line = buffer_.substr(0, length);
    buffer_.erase(0, remove);
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }

  Interrupts& interrupts_;
  bool show_prompts_;
  bool at_end_ = false;
  std::string buffer_;
};

}  // namespace examples
