// UTF-8 and the character classes that tokenizers speak of: letters, marks, numbers, punctuation, symbols, white space.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "lamina/text/unicode_table.hpp"

namespace lamina::inline v0_1::detail {

/// General categories L, M, N, P, S; kSpace is the White_Space property and comes before them; kOther is the rest.
enum class CharClass : std::uint8_t { kOther, kLetter, kMark, kNumber, kPunctuation, kSymbol, kSpace };

inline constexpr char32_t kReplacementCharacter = 0xfffd;

constexpr CharClass search_char_class(char32_t code) noexcept {
  auto const* const next =
      std::upper_bound(std::begin(kCharRanges), std::end(kCharRanges), static_cast<std::uint32_t>(code) << 3 | 7u);
  return static_cast<CharClass>(*(next - 1) & 7u);
}

inline constexpr auto kAsciiClasses = [] {
  std::array<CharClass, 128> classes{};
  for (char32_t code = 0; code < 128; ++code) classes[code] = search_char_class(code);
  return classes;
}();

/// Precondition: code <= 0x10ffff.
constexpr CharClass char_class(char32_t code) noexcept {
  return code < 128 ? kAsciiClasses[code] : search_char_class(code);
}

/// One step through a text that should be UTF-8.
struct Utf8Step {
  char32_t code;  // U+FFFD where the bytes are invalid
  unsigned size;  // bytes, >= 1; of invalid ones a maximal part as Unicode defines it (chapter 3.9)
  bool valid;
  bool truncated;  // invalid, but only because the text ends here
};

/// The character at text[pos]. Strict: no overlong forms, no surrogates. Precondition: pos < text.size().
constexpr Utf8Step decode_utf8(std::string_view text, std::size_t pos) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  unsigned const lead = byte(0);
  if (lead < 0x80) return {lead, 1, true, false};
  if (lead < 0xc2 || lead > 0xf4) return {kReplacementCharacter, 1, false, false};
  unsigned const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte's range depends on the lead: it keeps out overlong forms, surrogates and what is above U+10FFFF.
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  char32_t code = lead & (0xffu >> (size + 1));
  for (unsigned i = 1; i < size; ++i) {
    if (pos + i == text.size()) return {kReplacementCharacter, i, false, true};
    if (byte(i) < low || byte(i) > high) return {kReplacementCharacter, i, false, false};
    code = code << 6 | (byte(i) & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  return {code, size, true, false};
}

/// Precondition: code is a Unicode scalar value.
inline void append_utf8(std::string& out, char32_t code) {
  auto const put = [&](char32_t bits) { out += static_cast<char>(bits); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace lamina::inline v0_1::detail
