// The command line of the example programs: named options with strict values, a help text made from them, and the exit
// codes 0 (done), 1 (an error while running) and 2 (a wrong command line).
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace examples {

/// A wrong command line; the message is for its author.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The whole text as a number; UsageError naming `what` for anything else, and for numbers outside [min, max].
/// NaN is outside of any range.
template <class T>
  requires std::integral<T> || std::floating_point<T>
T parse_number(std::string_view text, T min, T max, std::string const& what) {
  T value{};
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= min && value <= max)) {
    auto const bound = [](T x) {
      char buffer[64];
      auto const result = std::to_chars(buffer, buffer + sizeof buffer, x);
      return std::string(buffer, result.ptr);
    };
    throw UsageError(what + ": '" + std::string(text) + "' is no " + (std::integral<T> ? "integer" : "number") +
                     " from " + bound(min) + " to " + bound(max));
  }
  return value;
}

class CommandLine {
 public:
  CommandLine(std::string program, std::string summary) : program_(std::move(program)), summary_(std::move(summary)) {}

  /// `names` as "-m" or "-n, --tokens"; `take` gets the value and may throw UsageError.
  void add(std::string names, std::string value_name, std::string help, std::function<void(std::string const&)> take) {
    options_.push_back({std::move(names), std::move(value_name), std::move(help), std::move(take)});
  }
  void add_flag(std::string names, std::string help, bool& target) {
    add(std::move(names), "", std::move(help), [&target](std::string const&) { target = true; });
  }
  /// An argument without a name, by its place among such; required.
  void add_argument(std::string name, std::string help, std::function<void(std::string const&)> take) {
    arguments_.push_back({std::move(name), "", std::move(help), std::move(take)});
  }
  /// Text; std::string, a path, or an optional of these.
  template <class T>
    requires std::is_assignable_v<T&, std::string const&>
  void add_text(std::string names, std::string value_name, std::string help, T& target) {
    add(std::move(names), std::move(value_name), std::move(help), [&target](std::string const& v) { target = v; });
  }
  template <class T>
  void add_number(std::string const& names, std::string value_name, std::string help, T& target,
                  std::type_identity_t<T> min, std::type_identity_t<T> max) {
    add(names, std::move(value_name), std::move(help),
        [&target, min, max, names](std::string const& v) { target = parse_number<T>(v, min, max, names); });
  }

  /// Reads the arguments, each option by the name before its value: `-n 5`, `--top-k=40`. False where help was asked
  /// for and printed. Throws UsageError.
  bool parse(int argc, char const* const* argv) const {
    std::size_t n_arguments = 0;
    for (int i = 1; i < argc; ++i) {
      std::string name = argv[i];
      if (!name.starts_with('-') && n_arguments < arguments_.size()) {
        arguments_[n_arguments++].take(name);
        continue;
      }
      if (name == "-h" || name == "--help") {
        std::fputs(help().c_str(), stdout);
        return false;
      }
      std::optional<std::string> value;
      if (auto const equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
        value = name.substr(equals + 1);
        name.resize(equals);
      }
      Option const* option = find(name);
      if (option == nullptr) throw UsageError("unknown argument '" + name + "'");
      if (option->value_name.empty()) {
        if (value) throw UsageError(name + " takes no value");
      } else if (!value) {
        if (++i == argc) throw UsageError(name + " needs a value: " + option->value_name);
        value = argv[i];
      }
      option->take(value.value_or(""));
    }
    if (n_arguments < arguments_.size()) throw UsageError("no " + arguments_[n_arguments].names);
    return true;
  }

  [[nodiscard]] std::string help() const {
    std::string text = "usage: " + program_;
    for (auto const& a : arguments_) text += " " + a.names;
    text += " [options]\n" + summary_ + "\n\n";
    for (auto const* group : {&arguments_, &options_}) {
      for (auto const& o : *group) {
        std::string line = "  " + o.names + (o.value_name.empty() ? "" : " " + o.value_name);
        line.resize(std::max(line.size() + 2, std::size_t{28}), ' ');
        text += line + o.help + "\n";
      }
    }
    return text + "  -h, --help                this text\n";
  }
  [[nodiscard]] std::string const& program() const { return program_; }

 private:
  struct Option {
    std::string names;
    std::string value_name;  // empty: a flag
    std::string help;
    std::function<void(std::string const&)> take;
  };

  [[nodiscard]] Option const* find(std::string const& name) const {
    for (auto const& option : options_) {
      for (std::string_view rest = option.names; !rest.empty();) {
        auto const comma = rest.find(", ");
        if (rest.substr(0, comma) == name) return &option;
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 2);
      }
    }
    return nullptr;
  }

  std::string program_;
  std::string summary_;
  std::vector<Option> arguments_;
  std::vector<Option> options_;
};

/// Runs a program: parses, then calls run(). What either throws becomes a message on stderr and an exit code.
template <class Run>
int run_program(CommandLine const& command_line, int argc, char const* const* argv, Run run) {
  auto const complain = [&](char const* message, int code) {
    std::fprintf(stderr, "%s: %s\n", command_line.program().c_str(), message);
    return code;
  };
  try {
    if (command_line.parse(argc, argv)) run();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return complain("cannot write to stdout", 1);
    return 0;
  } catch (UsageError const& e) {
    int const code = complain(e.what(), 2);
    std::fprintf(stderr, "%s --help lists the options\n", command_line.program().c_str());
    return code;
  } catch (std::exception const& e) {
    std::fflush(stdout);
    return complain(e.what(), 1);
  }
}

}  // namespace examples
