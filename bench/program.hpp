// The command line of the benchmark programs: options with a value each, and errors as messages with exit codes.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "lamina/core/error.hpp"

namespace lamina::bench {

/// `--name value` pairs and the words between them.
class Arguments {
 public:
  /// Throws Error{kInvalidArgument} for an option that is not in `options` or has no value.
  Arguments(std::span<char* const> words, std::span<std::string_view const> options) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::string_view const word = words[i];
      if (!word.starts_with('-')) {
        positional_.emplace_back(word);
        continue;
      }
      if (std::ranges::find(options, word) == options.end()) {
        fail(Errc::kInvalidArgument, "option '", word, "' is unknown");
      }
      if (i + 1 == words.size()) fail(Errc::kInvalidArgument, "option '", word, "' lacks its value");
      values_[word] = words[++i];
    }
  }

  [[nodiscard]] std::span<std::string const> positional() const { return positional_; }

  [[nodiscard]] std::optional<std::string_view> text(std::string_view option) const {
    auto const at = values_.find(option);
    return at == values_.end() ? std::nullopt : std::optional(at->second);
  }

  /// Throws Error{kInvalidArgument} for anything but a number in [min, max].
  template <std::unsigned_integral T>
  [[nodiscard]] T number(std::string_view option, T fallback, T min = 0, T max = std::numeric_limits<T>::max()) const {
    auto const given = text(option);
    if (!given) return fallback;
    T value = 0;
    auto const [end, error] = std::from_chars(given->data(), given->data() + given->size(), value);
    if (error != std::errc() || end != given->data() + given->size() || value < min || value > max) {
      fail(Errc::kInvalidArgument, "option '", option, "' is '", *given, "', expected a number from ", min, " to ",
           max);
    }
    return value;
  }

 private:
  std::vector<std::string> positional_;
  std::map<std::string_view, std::string_view> values_;
};

/// Runs `body(arguments)`; returns the exit code: 0, 1 for an error, 2 (and the usage) for a wrong command line.
template <class Body>
int run_program(std::span<char* const> argv, char const* usage, std::span<std::string_view const> options, Body body) {
  try {
    body(Arguments(argv.subspan(argv.empty() ? 0 : 1), options));
    return 0;
  } catch (Error const& error) {
    bool const is_usage = error.code() == Errc::kInvalidArgument;
    std::fprintf(stderr, "%s\n%s", error.what(), is_usage ? usage : "");
    return is_usage ? 2 : 1;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace lamina::bench
