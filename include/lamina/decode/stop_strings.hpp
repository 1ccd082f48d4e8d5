// Stop strings in streamed text: found wherever the pieces are cut, and text is held back only while it may become one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/error.hpp"

namespace lamina::inline v0_1 {

/// Passes text through up to the stop string that ends first (of those that end there, the longest).
///
/// One automaton a string (Knuth, Morris & Pratt, 1977): linear in the text times the number of strings, whatever they
/// are. Memory is linear in the strings.
class StopStringMatcher {
 public:
  /// Throws Error{kInvalidArgument} for an empty string and for one that begins inside a UTF-8 character.
  explicit StopStringMatcher(std::vector<std::string> const& strings) {
    automata_.reserve(strings.size());
    for (auto const& s : strings) {
      if (s.empty()) fail(Errc::kInvalidArgument, "stop string: empty");
      if ((static_cast<unsigned char>(s[0]) & 0xc0u) == 0x80u) {
        fail(Errc::kInvalidArgument, "stop string '", s, "' begins inside a UTF-8 character");
      }
      automata_.emplace_back(s);
    }
  }

  /// Takes more text and appends to `out` what cannot be part of a stop string. Returns whether one is complete: its
  /// text and all after it are dropped, and the matcher takes no more.
  bool push(std::string_view text, std::string& out) {
    if (automata_.empty()) {
      out += text;
      return false;
    }
    for (std::size_t i = 0; i < text.size() && !matched_; ++i) {
      for (auto& automaton : automata_) {
        if (automaton.push(text[i])) {
          matched_ = true;
          held_length_ = std::max(held_length_, automaton.string().size());
        }
      }
      if (!matched_) continue;
      held_ += text.substr(0, i + 1);
      out.append(held_, 0, held_.size() - held_length_);
      held_.clear();
    }
    if (matched_) return true;
    held_ += text;
    std::size_t keep = 0;
    for (auto const& automaton : automata_) keep = std::max(keep, automaton.progress());
    out.append(held_, 0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
    return false;
  }

  /// At the end of the text: appends what was held back.
  void flush(std::string& out) {
    out += held_;
    held_.clear();
  }

 private:
  class Automaton {
   public:
    explicit Automaton(std::string s) : string_(std::move(s)), fallback_(string_.size() + 1, 0) {
      for (std::size_t i = 1; i < string_.size(); ++i) fallback_[i + 1] = advance(fallback_[i], string_[i]);
    }

    /// Takes a byte; whether the string ends with it.
    bool push(char c) {
      progress_ = advance(progress_, c);
      return progress_ == string_.size();
    }
    /// Length of the longest beginning of the string that the text so far ends with.
    [[nodiscard]] std::size_t progress() const noexcept { return progress_; }
    [[nodiscard]] std::string const& string() const noexcept { return string_; }

   private:
    [[nodiscard]] std::size_t advance(std::size_t state, char c) const noexcept {
      while (state != 0 && string_[state] != c) state = fallback_[state];
      return string_[state] == c ? state + 1 : 0;
    }

    std::string string_;
    std::vector<std::size_t>
        fallback_;  // [i]: the longest proper prefix of the first i bytes that is their suffix, too
    std::size_t progress_ = 0;
  };

  std::vector<Automaton> automata_;
  std::string held_;  // a suffix of the text so far that a stop string may begin with
  std::size_t held_length_ = 0;
  bool matched_ = false;
};

}  // namespace lamina::inline v0_1
