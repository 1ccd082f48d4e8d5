// Pre-tokenizers: how byte-level BPE cuts text into words, none of which a token crosses.
//
// Each kind is published as a list of regular expressions. A pass per expression cuts out what it matches and leaves
// the rest to stand between; the next pass works inside the parts. The matchers here are those expressions by hand:
// every one looks at a character a bounded number of times, so a pass is linear in the text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

#include "lamina/text/unicode.hpp"
#include "lamina/text/vocabulary.hpp"

namespace lamina::inline v0_1::detail {

struct TextChar {
  std::uint32_t begin;  // bytes into the text
  char32_t code;
  CharClass kind;
};

/// The characters that a matcher may look at: it never sees beyond the part it works in.
class TextPart {
 public:
  TextPart(TextChar const* chars, std::size_t size) : chars_(chars), size_(size) {}
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool has(std::size_t i) const { return i < size_; }
  [[nodiscard]] char32_t code(std::size_t i) const { return has(i) ? chars_[i].code : kNoChar; }
  [[nodiscard]] bool is(std::size_t i, CharClass kind) const { return has(i) && chars_[i].kind == kind; }
  [[nodiscard]] bool is_newline(std::size_t i) const { return code(i) == U'\n' || code(i) == U'\r'; }
  /// [^\s\p{L}\p{N}]
  [[nodiscard]] bool is_other(std::size_t i) const {
    return has(i) && !is(i, CharClass::kSpace) && !is(i, CharClass::kLetter) && !is(i, CharClass::kNumber);
  }

 private:
  static constexpr char32_t kNoChar = 0xffffffff;
  TextChar const* chars_;
  std::size_t size_;
};

/// The end of the run of characters from `begin` on that satisfy the predicate.
template <class Predicate>
std::size_t run_end(TextPart part, std::size_t begin, Predicate const& satisfies) {
  while (part.has(begin) && satisfies(begin)) ++begin;
  return begin;
}

inline std::size_t run_end(TextPart part, std::size_t begin, CharClass kind) {
  return run_end(part, begin, [&](std::size_t i) { return part.is(i, kind); });
}

/// 's|'t|'re|'ve|'m|'ll|'d: its length at `pos`, or 0. Only ASCII letters differ in case here.
inline std::size_t match_contraction(TextPart part, std::size_t pos, bool any_case) {
  if (part.code(pos) != U'\'') return 0;
  auto const letter = [&](std::size_t i) {
    char32_t const c = part.code(i);
    return any_case && c >= U'A' && c <= U'Z' ? c + (U'a' - U'A') : c;
  };
  char32_t const first = letter(pos + 1);
  char32_t const second = letter(pos + 2);
  if (first == U's' || first == U't' || first == U'm' || first == U'd') return 2;
  bool const two =
      (first == U'r' && second == U'e') || (first == U'v' && second == U'e') || (first == U'l' && second == U'l');
  return two ? 3 : 0;
}

/// \s+(?!\S)|\s+ : white space, but the last of it stays with the word that follows.
inline std::size_t match_space(TextPart part, std::size_t pos) {
  std::size_t const end = run_end(part, pos, CharClass::kSpace);
  std::size_t const size = end - pos;
  return size > 1 && part.has(end) ? size - 1 : size;
}

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
inline std::size_t match_gpt2(TextPart part, std::size_t pos) {
  if (std::size_t const size = match_contraction(part, pos, false); size != 0) return size;
  std::size_t const word = pos + (part.code(pos) == U' ' ? 1 : 0);
  for (CharClass const kind : {CharClass::kLetter, CharClass::kNumber}) {
    if (part.is(word, kind)) return run_end(part, word, kind) - pos;
  }
  if (part.is_other(word)) return run_end(part, word, [&](std::size_t i) { return part.is_other(i); }) - pos;
  return match_space(part, pos);
}

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,kMaxDigits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
/// \s+(?!\S)|\s+
template <std::size_t kMaxDigits>
std::size_t match_llama3(TextPart part, std::size_t pos) {
  if (std::size_t const size = match_contraction(part, pos, true); size != 0) return size;
  bool const is_number = part.is(pos, CharClass::kNumber);
  std::size_t const letters = pos + (part.is(pos, CharClass::kLetter) ? 0 : 1);
  if (!is_number && !part.is_newline(pos) && part.is(letters, CharClass::kLetter)) {
    return run_end(part, letters, CharClass::kLetter) - pos;
  }
  if (is_number) {
    std::size_t digits = 1;
    while (digits < kMaxDigits && part.is(pos + digits, CharClass::kNumber)) ++digits;
    return digits;
  }
  std::size_t const others = pos + (part.code(pos) == U' ' ? 1 : 0);
  auto const newlines_from = [&](std::size_t i) {
    return run_end(part, i, [&](std::size_t j) { return part.is_newline(j); });
  };
  if (part.is_other(others)) {
    return newlines_from(run_end(part, others, [&](std::size_t i) { return part.is_other(i); })) - pos;
  }
  std::size_t end = run_end(part, pos, CharClass::kSpace);
  while (end > pos && !part.is_newline(end - 1)) --end;
  return end > pos ? end - pos : match_space(part, pos);
}

struct CharRange {
  char32_t first;
  char32_t last;
};

template <std::size_t kCount>
constexpr bool contains(CharRange const (&ranges)[kCount], char32_t code) {
  auto const* const next = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                            [](char32_t c, CharRange range) { return c < range.first; });
  return next != std::begin(ranges) && code <= (next - 1)->last;
}

// The letters, punctuation and East Asian characters of DeepSeek LLM's expressions, as its tokenizer.json lists them:
// punctuation takes ":-~", which holds the ASCII letters, and so cuts words of mixed letters a second time.
inline constexpr CharRange kDeepseekLetters[] = {
    {0x41, 0x5a},       {0x61, 0x7a},       {0xb5, 0xb5},       {0xc0, 0xd6},       {0xd8, 0xf6},
    {0xf8, 0x1ba},      {0x1bc, 0x1bf},     {0x1c4, 0x293},     {0x295, 0x2af},     {0x370, 0x373},
    {0x376, 0x377},     {0x37b, 0x37d},     {0x37f, 0x37f},     {0x386, 0x386},     {0x388, 0x38a},
    {0x38c, 0x38c},     {0x38e, 0x3a1},     {0x3a3, 0x3f5},     {0x3f7, 0x481},     {0x48a, 0x52f},
    {0x531, 0x556},     {0x10a0, 0x10c5},   {0x13a0, 0x13f5},   {0x13f8, 0x13fd},   {0x1c90, 0x1cba},
    {0x1cbd, 0x1cbf},   {0x1d00, 0x1d2b},   {0x1d6b, 0x1d77},   {0x1d79, 0x1d9a},   {0x1e00, 0x1f15},
    {0x1f18, 0x1f1d},   {0x1f20, 0x1f45},   {0x1f48, 0x1f4d},   {0x1f50, 0x1f57},   {0x1f59, 0x1f59},
    {0x1f5b, 0x1f5b},   {0x1f5d, 0x1f5d},   {0x1f5f, 0x1f7d},   {0x1f80, 0x1fb4},   {0x1fb6, 0x1fbc},
    {0x1fbe, 0x1fbe},   {0x1fc2, 0x1fc4},   {0x1fc6, 0x1fcc},   {0x1fd0, 0x1fd3},   {0x1fd6, 0x1fdb},
    {0x1fe0, 0x1fec},   {0x1ff2, 0x1ff4},   {0x1ff6, 0x1ffc},   {0x2102, 0x2102},   {0x2107, 0x2107},
    {0x210a, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211d},   {0x2124, 0x2124},   {0x2126, 0x2126},
    {0x2128, 0x2128},   {0x212a, 0x212d},   {0x212f, 0x2134},   {0x2139, 0x2139},   {0x213c, 0x213f},
    {0x2145, 0x2149},   {0x214e, 0x214e},   {0x2183, 0x2184},   {0x2c00, 0x2c7b},   {0x2c7e, 0x2ce4},
    {0x2ceb, 0x2cee},   {0x2cf2, 0x2cf3},   {0xa640, 0xa66d},   {0xa680, 0xa69b},   {0xa722, 0xa76f},
    {0xa771, 0xa787},   {0xa78b, 0xa78e},   {0xab70, 0xabbf},   {0xfb00, 0xfb06},   {0xfb13, 0xfb17},
    {0xff21, 0xff3a},   {0xff41, 0xff5a},   {0x10400, 0x1044f}, {0x104b0, 0x104d3}, {0x104d8, 0x104fb},
    {0x10c80, 0x10cb2}, {0x10cc0, 0x10cf2}, {0x118a0, 0x118df}, {0x1e900, 0x1e943}};
inline constexpr CharRange kDeepseekPunctuation[] = {{0x21, 0x2f},     {0x3a, 0x7e},     {0x2018, 0x201f},
                                                     {0x3000, 0x3002}, {0xff01, 0xff0f}, {0xff1a, 0xff5e}};
inline constexpr CharRange kDeepseekEastAsian[] = {{0x800, 0x9fa5}, {0xac00, 0xd7ff}};

/// \s?[ranges]+
template <auto const& kRanges>
std::size_t match_spaced(TextPart part, std::size_t pos) {
  auto const in_ranges = [&](std::size_t i) { return contains(kRanges, part.code(i)); };
  std::size_t const first = pos + (part.is(pos, CharClass::kSpace) && in_ranges(pos + 1) ? 1 : 0);
  return run_end(part, first, in_ranges) - pos;
}

/// [ranges]+
template <auto const& kRanges>
std::size_t match_ranges(TextPart part, std::size_t pos) {
  return run_end(part, pos, [&](std::size_t i) { return contains(kRanges, part.code(i)); }) - pos;
}

inline std::size_t match_newline(TextPart part, std::size_t pos) { return part.is_newline(pos) ? 1 : 0; }

/// \p{N}+
inline std::size_t match_number(TextPart part, std::size_t pos) { return run_end(part, pos, CharClass::kNumber) - pos; }

/// [0-9][0-9][0-9]
inline std::size_t match_three_digits(TextPart part, std::size_t pos) {
  for (std::size_t i = pos; i < pos + 3; ++i) {
    if (part.code(i) < U'0' || part.code(i) > U'9') return 0;
  }
  return 3;
}

/// [\p{P}$+<=>^~|]+ and with kBacktick also the backtick.
template <bool kBacktick>
std::size_t match_punctuation(TextPart part, std::size_t pos) {
  constexpr std::u32string_view kSymbols = kBacktick ? U"$+<=>^~|`" : U"$+<=>^~|";
  return run_end(part, pos,
                 [&](std::size_t i) {
                   return part.is(i, CharClass::kPunctuation) || kSymbols.find(part.code(i)) != kSymbols.npos;
                 }) -
         pos;
}

/// The length of the match at a position of a part, or 0.
using Matcher = std::size_t (*)(TextPart, std::size_t);

/// A text as characters and the ends of the parts it is cut into so far.
class TextCutter {
 public:
  explicit TextCutter(std::string_view text) : n_bytes_(text.size()) {
    chars_.reserve(text.size());
    for (std::size_t pos = 0; pos < text.size();) {
      auto const step = decode_utf8(text, pos);
      chars_.push_back({static_cast<std::uint32_t>(pos), step.code, char_class(step.code)});
      pos += step.size;
    }
    if (!chars_.empty()) ends_.push_back(chars_.size());
  }

  /// Cuts out what the matcher finds in each part, from left to right.
  void cut(Matcher match) {
    cut_parts([&](TextPart part, auto const& add) {
      std::size_t unmatched = 0;
      for (std::size_t pos = 0; pos < part.size();) {
        std::size_t const size = match(part, pos);
        if (size == 0) {
          ++pos;
          continue;
        }
        if (unmatched < pos) add(pos);
        add(unmatched = pos += size);
      }
      if (unmatched < part.size()) add(part.size());
    });
  }

  /// \s+$ : cuts off the white space at the end of each part.
  void cut_trailing_space() {
    cut_parts([](TextPart part, auto const& add) {
      std::size_t end = part.size();
      while (end > 0 && part.is(end - 1, CharClass::kSpace)) --end;
      if (end > 0) add(end);
      if (end < part.size()) add(part.size());
    });
  }

  /// The end of each part, in bytes.
  [[nodiscard]] std::vector<std::size_t> byte_ends() const {
    std::vector<std::size_t> ends(ends_);
    for (auto& end : ends) end = end < chars_.size() ? chars_[end].begin : n_bytes_;
    return ends;
  }

 private:
  /// cut_one(part, add) calls add(end) for each of the part's own parts, in order, the last with part.size().
  template <class CutOne>
  void cut_parts(CutOne const& cut_one) {
    std::vector<std::size_t> ends;
    ends.reserve(ends_.size());
    std::size_t begin = 0;
    for (std::size_t const end : ends_) {
      cut_one(TextPart(chars_.data() + begin, end - begin),
              [&](std::size_t part_end) { ends.push_back(begin + part_end); });
      begin = end;
    }
    ends_ = std::move(ends);
  }

  std::size_t n_bytes_;
  std::vector<TextChar> chars_;
  std::vector<std::size_t> ends_;
};

/// The ends of the words of `text` in bytes, ascending; the last is text.size(). Bytes that are no UTF-8 count as
/// symbols.
inline std::vector<std::size_t> split_words(PreTokenizer kind, std::string_view text) {
  TextCutter cutter(text);
  switch (kind) {
    case PreTokenizer::kGpt2: cutter.cut(match_gpt2); break;
    case PreTokenizer::kLlama3: cutter.cut(match_llama3<3>); break;
    case PreTokenizer::kQwen2: cutter.cut(match_llama3<1>); break;
    case PreTokenizer::kDeepseekLlm:
      cutter.cut(match_newline);
      cutter.cut(match_spaced<kDeepseekLetters>);
      cutter.cut(match_spaced<kDeepseekPunctuation>);
      cutter.cut_trailing_space();
      cutter.cut(match_ranges<kDeepseekEastAsian>);
      cutter.cut(match_number);
      break;
    case PreTokenizer::kFalcon:
      cutter.cut(match_punctuation<true>);
      cutter.cut(match_gpt2);
      cutter.cut(match_three_digits);
      break;
    case PreTokenizer::kDefault:
      cutter.cut(match_punctuation<false>);
      cutter.cut(match_gpt2);
      cutter.cut(match_number);
      cutter.cut(match_three_digits);
      break;
  }
  return cutter.byte_ends();
}

}  // namespace lamina::inline v0_1::detail
