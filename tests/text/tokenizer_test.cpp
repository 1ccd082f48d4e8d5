// Tokenizers on small vocabularies: merging, special tokens, bytes, pre-tokenizers, long inputs; and the detokenizer.
#include "lamina/text/tokenizer.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lamina/text/detokenizer.hpp"
#include "text/small_vocabularies.hpp"

using namespace lamina;
using namespace lamina::test;

namespace {

/// The words, with '|' between them.
std::string words_of(PreTokenizer kind, std::string_view text) {
  std::string words;
  std::size_t begin = 0;
  for (std::size_t const end : detail::split_words(kind, text)) {
    if (begin != 0) words += '|';
    words += text.substr(begin, end - begin);
    begin = end;
  }
  CHECK(begin == text.size());
  return words;
}

std::vector<Token> ids_of(Vocabulary const& vocabulary, std::vector<std::string_view> const& texts) {
  std::vector<Token> ids;
  for (auto const text : texts) ids.push_back(id_of(vocabulary, text));
  return ids;
}

std::string repeat(std::string_view text, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  out.resize(bytes);
  return out;
}

}  // namespace

TEST_CASE("UTF-8 is decoded strictly") {
  auto const step = [](std::string_view text) {
    auto const s = detail::decode_utf8(text, 0);
    return std::tuple(s.code, s.size, s.valid, s.truncated);
  };
  CHECK(step("a") == std::tuple(U'a', 1u, true, false));
  CHECK(step("\u00e9") == std::tuple(U'\u00e9', 2u, true, false));
  CHECK(step("\uffff") == std::tuple(U'\uffff', 3u, true, false));
  CHECK(step("\U0010ffff") == std::tuple(U'\U0010ffff', 4u, true, false));
  CHECK(step("\xc0\x80") == std::tuple(U'\ufffd', 1u, false, false));          // overlong
  CHECK(step("\xe0\x80\x80") == std::tuple(U'\ufffd', 1u, false, false));      // overlong
  CHECK(step("\xed\xa0\x80") == std::tuple(U'\ufffd', 1u, false, false));      // a surrogate
  CHECK(step("\xf4\x90\x80\x80") == std::tuple(U'\ufffd', 1u, false, false));  // above U+10FFFF
  CHECK(step("\xf0\x9f\x98"
             "a") == std::tuple(U'\ufffd', 3u, false, false));
  CHECK(step("\xf0\x9f\x98") == std::tuple(U'\ufffd', 3u, false, true));
}

TEST_CASE("Characters have their classes") {
  using enum detail::CharClass;
  CHECK(detail::char_class(U'a') == kLetter);
  CHECK(detail::char_class(U'\u00df') == kLetter);
  CHECK(detail::char_class(U'\u6211') == kLetter);
  CHECK(detail::char_class(U'\u0301') == kMark);
  CHECK(detail::char_class(U'7') == kNumber);
  CHECK(detail::char_class(U'\u00bd') == kNumber);
  CHECK(detail::char_class(U'!') == kPunctuation);
  CHECK(detail::char_class(U'\u3002') == kPunctuation);
  CHECK(detail::char_class(U'$') == kSymbol);
  CHECK(detail::char_class(U'\U0001f680') == kSymbol);
  CHECK(detail::char_class(U'\u00a0') == kSpace);
  CHECK(detail::char_class(U'\u3000') == kSpace);
  CHECK(detail::char_class(U'\x1f') == kOther);
  CHECK(detail::char_class(U'\U0010ffff') == kOther);
}

TEST_CASE("Pre-tokenizers cut as their expressions do") {
  std::string_view const text = "I'll  pay $12345, 'Re \tyou?\r\n\n ok\u00e9 \u6211\u60f3";
  CHECK(words_of(PreTokenizer::kGpt2, text) ==
        "I|'ll| | pay| $|12345|,| '|Re| |\t|you|?|\r\n\n| ok\u00e9| \u6211\u60f3");
  CHECK(words_of(PreTokenizer::kLlama3, text) ==
        "I|'ll| | pay| $|123|45|,| '|Re| |\tyou|?\r\n\n| ok\u00e9| \u6211\u60f3");
  CHECK(words_of(PreTokenizer::kLlama3, "we'RE 'S") == "we|'RE| '|S");
  CHECK(words_of(PreTokenizer::kQwen2, "12 ab") == "1|2| ab");
  CHECK(words_of(PreTokenizer::kQwen2, " \n \n  x") == " \n \n| | x");
  CHECK(words_of(PreTokenizer::kDeepseekLlm, text) ==
        "I|'|ll| | pay| $|12345|,| '|Re| |\tyou|?|\r|\n|\n| ok|\u00e9| |\u6211\u60f3");
  CHECK(words_of(PreTokenizer::kDeepseekLlm, "!\uff01 \u0e01  ") == "!\uff01| |\u0e01|  ");
  CHECK(words_of(PreTokenizer::kFalcon, "a==1234 `x") == "a|==|123|4| |`|x");
  CHECK(words_of(PreTokenizer::kDefault, "a==1234 `x") == "a|==|123|4| `|x");
  CHECK(words_of(PreTokenizer::kDefault, " 12") == " |12");
  for (PreTokenizer const kind : kAllPreTokenizers) CHECK(words_of(kind, "").empty());
}

TEST_CASE("Byte-level BPE merges by rank") {
  auto const vocabulary = small_bpe(PreTokenizer::kGpt2);
  Tokenizer const tokenizer(vocabulary);
  std::string const space = alphabet_of(' ');
  CHECK(tokenizer.encode("hello hello") == ids_of(vocabulary, {"hello", space + "hello"}));
  CHECK(tokenizer.encode("hellllo") == ids_of(vocabulary, {"hell", "ll", "o"}));
  CHECK(tokenizer.encode("aaaaaaa") == ids_of(vocabulary, {"aaaa", "aa", "a"}));
  CHECK(tokenizer.encode("").empty());
}

TEST_CASE("A word that is a token is taken whole where merges are ignored") {
  auto vocabulary = small_bpe(PreTokenizer::kLlama3);
  add_token(vocabulary, "oh");
  CHECK(Tokenizer(vocabulary).encode("oh") == ids_of(vocabulary, {"o", "h"}));
  vocabulary.ignore_merges = true;
  CHECK(Tokenizer(vocabulary).encode("oh") == ids_of(vocabulary, {"oh"}));
}

TEST_CASE("A merge may lead through a string that is no token") {
  auto vocabulary = small_bpe(PreTokenizer::kGpt2);
  vocabulary.merges.insert(vocabulary.merges.end(), {"x y", "xy z"});
  CHECK(Tokenizer(vocabulary).encode("xy") == ids_of(vocabulary, {"x", "y"}));
  CHECK(Tokenizer(vocabulary).encode("xyz") == ids_of(vocabulary, {"x", "y", "z"}));
  add_token(vocabulary, "xyz");
  CHECK(Tokenizer(vocabulary).encode("xyz") == ids_of(vocabulary, {"xyz"}));
}

TEST_CASE("SentencePiece merges by score and falls back to bytes") {
  auto const vocabulary = small_spm();
  Tokenizer const tokenizer(vocabulary);
  EncodeOptions const plain{.add_bos = false};
  CHECK(tokenizer.encode("hello") == ids_of(vocabulary, {"<s>", "\u2581hello"}));
  CHECK(tokenizer.encode(" hello", plain) == ids_of(vocabulary, {"\u2581", "\u2581hello"}));
  CHECK(tokenizer.encode("  ", plain) == ids_of(vocabulary, {"\u2581\u2581", "\u2581"}));
  CHECK(tokenizer.encode("hello", {.add_bos = false, .space_prefix = false}) == ids_of(vocabulary, {"hello"}));
  CHECK(tokenizer.encode("\u00e9", plain) == ids_of(vocabulary, {"\u2581", "\u00e9"}));
  CHECK(tokenizer.encode("\u00e8", plain) == ids_of(vocabulary, {"\u2581", "<0xC3>", "<0xA8>"}));
  CHECK(tokenizer.encode("\xff", plain) == ids_of(vocabulary, {"\u2581", "<0xFF>"}));
  CHECK(tokenizer.encode("", plain).empty());
  CHECK(tokenizer.encode("") == std::vector<Token>{1});
}

TEST_CASE("Equal scores merge from the left") {
  auto vocabulary = small_spm();
  add_token(vocabulary, "oh", TokenType::kNormal, -50.0f);
  add_token(vocabulary, "ho", TokenType::kNormal, -50.0f);
  vocabulary.add_space_prefix = false;
  CHECK(Tokenizer(vocabulary).encode("oho", {.add_bos = false}) == ids_of(vocabulary, {"oh", "o"}));
  CHECK(Tokenizer(vocabulary).encode("hoh", {.add_bos = false}) == ids_of(vocabulary, {"ho", "h"}));
}

TEST_CASE("Special tokens: control ones on request, user-defined ones always, the longest first") {
  for (bool const spm : {false, true}) {
    CAPTURE(spm);
    auto vocabulary = spm ? small_spm() : small_bpe(PreTokenizer::kGpt2);
    vocabulary.add_space_prefix = false;
    vocabulary.add_bos = false;
    add_token(vocabulary, "<think>", TokenType::kUserDefined);
    add_token(vocabulary, "<think>er", TokenType::kUserDefined);
    add_token(vocabulary, "<s>s", TokenType::kControl);
    Token const think = id_of(vocabulary, "<think>");
    Token const thinker = id_of(vocabulary, "<think>er");
    Tokenizer const tokenizer(vocabulary);
    CHECK(tokenizer.encode("<think>a<think>er") == std::vector<Token>{think, id_of(vocabulary, "a"), thinker});
    CHECK(tokenizer.encode("<think>er", {.exclude = {&thinker, 1}}).front() == think);
    CHECK(tokenizer.encode("<think>", {.exclude = {&think, 1}}).size() == 7);
    CHECK(tokenizer.encode("<s>").size() == 3);
    CHECK(tokenizer.encode("<s>", {.parse_special = true}) == std::vector<Token>{tokenizer.bos()});
    CHECK(tokenizer.encode("<s>s", {.parse_special = true}) == ids_of(vocabulary, {"<s>s"}));
    CHECK(tokenizer.special("<think>") == think);
    CHECK(tokenizer.special("<thin") == kNoToken);
    CHECK(tokenizer.special("a") == kNoToken);
    CHECK(tokenizer.decode(tokenizer.encode("<s>a</s>", {.parse_special = true})) == "a");
    CHECK(tokenizer.decode(std::vector<Token>{think}) == "<think>");
  }
}

TEST_CASE("decode is the inverse of encode with the same options") {
  for (auto vocabulary : {small_spm(), small_bpe(PreTokenizer::kGpt2)}) {
    add_token(vocabulary, "<sep>", TokenType::kControl);
    for (bool const added : {false, true}) {
      vocabulary.add_bos = vocabulary.add_eos = added;
      Tokenizer const tokenizer(vocabulary);
      for (std::string_view const text : {"", "a", "<sep>", " a<sep> b<sep>", "<s>a</s>", "<s>", "</s></s>"}) {
        for (bool const add_bos : {false, true}) {
          for (bool const space_prefix : {false, true}) {
            EncodeOptions const options{.add_bos = add_bos, .parse_special = true, .space_prefix = space_prefix};
            CHECK(tokenizer.decode(tokenizer.encode(text, options), options) == text);
          }
        }
      }
    }
    Tokenizer const tokenizer(vocabulary);
    std::vector<Token> const ids{tokenizer.bos(), tokenizer.bos(), tokenizer.eos()};
    CHECK(tokenizer.decode(ids) == "");
    CHECK(tokenizer.decode(ids, {.parse_special = true}) == "<s>");
    CHECK(tokenizer.decode(ids, {.add_bos = false, .parse_special = true}) == "<s><s></s>");
  }
}

TEST_CASE("The space prefix is put before each run of text and taken back from it") {
  auto vocabulary = small_spm();
  add_token(vocabulary, "<sep>", TokenType::kUserDefined);
  Tokenizer const tokenizer(vocabulary);
  auto const ids = tokenizer.encode("hello<sep>hello");
  CHECK(ids == ids_of(vocabulary, {"<s>", "\u2581hello", "<sep>", "\u2581hello"}));
  CHECK(tokenizer.decode(ids) == "hello<sep>hello");
  CHECK(tokenizer.decode(tokenizer.encode("  hello")) == "  hello");
  // A run of spaces is ordinary text, though a vocabulary may call it user-defined.
  vocabulary.types[static_cast<std::size_t>(id_of(vocabulary, "\u2581\u2581"))] = TokenType::kUserDefined;
  CHECK(Tokenizer(vocabulary).encode("   ") == tokenizer.encode("   "));
  CHECK(Tokenizer(vocabulary).decode(tokenizer.encode("   ")) == "   ");
}

TEST_CASE("BOS and EOS are added where the vocabulary asks for them") {
  auto vocabulary = small_bpe(PreTokenizer::kGpt2);
  vocabulary.add_bos = vocabulary.add_eos = true;
  Tokenizer const tokenizer(vocabulary);
  CHECK(tokenizer.encode("a") == std::vector<Token>{tokenizer.bos(), 'a', tokenizer.eos()});
  CHECK(tokenizer.encode("a", {.add_bos = false}) == std::vector<Token>{'a'});
}

TEST_CASE("decode(encode(x)) is x for any bytes") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  std::vector<std::string> const texts = {bytes, "\xe2\x96", "a\xf0\x9f\x98 b", "\u00e9\xff\u00e9", "  a  ", "\n\n a"};
  for (auto const& text : texts) {
    CHECK(Tokenizer(small_spm()).decode(Tokenizer(small_spm()).encode(text)) == text);
    for (PreTokenizer const kind : kAllPreTokenizers) {
      Tokenizer const tokenizer(small_bpe(kind));
      CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
    }
  }
}

TEST_CASE("A byte without a token") {
  auto spm = small_spm();
  Token const byte = id_of(spm, "<0xFF>");
  spm.types[static_cast<std::size_t>(byte)] = TokenType::kUnused;
  CHECK(Tokenizer(spm).encode("\xff", {.add_bos = false}).back() == spm.unknown);
  spm.unknown = kNoToken;
  try {
    (void)Tokenizer(spm).encode("\xff");
    FAIL("no error");
  } catch (Error const& e) {
    CHECK(e.code() == Errc::kUnsupported);
    CHECK(std::string_view(e.what()).find("small.gguf: the vocabulary has no token for byte 255") == 0);
  }
  auto bpe = small_bpe(PreTokenizer::kGpt2);
  bpe.types['x'] = TokenType::kControl;
  Tokenizer const tokenizer(bpe);
  CHECK(tokenizer.decode(tokenizer.encode("axb")) ==
        "a\ufffd"
        "b");
}

TEST_CASE("Token ids outside the vocabulary are an error") {
  Tokenizer const tokenizer(small_spm());
  for (Token const bad : {Token{-1}, static_cast<Token>(tokenizer.size())}) {
    CHECK_THROWS_AS((void)tokenizer.piece(bad), Error);
    CHECK_THROWS_AS((void)tokenizer.decode(std::vector<Token>{0, bad}), Error);
    CHECK_THROWS_AS(StreamingDetokenizer(tokenizer).push(bad), Error);
    CHECK_FALSE(tokenizer.ends_generation(bad));
  }
}

// A quadratic merge would take minutes here.
TEST_CASE("A megabyte is encoded whatever it holds") {
  constexpr std::size_t kMega = 1'000'000;
  std::string const letters(kMega, 'a');
  std::string const prose = repeat("hello, hello! It's 1859; all of us were going direct to Heaven.\n", kMega);
  for (PreTokenizer const kind : kAllPreTokenizers) {
    auto const vocabulary = small_bpe(kind);
    Tokenizer const tokenizer(vocabulary);
    CHECK(tokenizer.encode(letters) == std::vector<Token>(kMega / 16, id_of(vocabulary, std::string(16, 'a'))));
    CHECK(tokenizer.decode(tokenizer.encode(prose)) == prose);
    for (char const c : {' ', '\n', '\xff', '7', '\''}) {
      std::string const run(kMega / 4, c);
      CHECK(tokenizer.decode(tokenizer.encode(run)) == run);
    }
  }
  auto const vocabulary = small_spm();
  Tokenizer const tokenizer(vocabulary);
  auto const ids = tokenizer.encode(letters, {.add_bos = false, .space_prefix = false});
  CHECK(ids == std::vector<Token>(kMega / 16, id_of(vocabulary, std::string(16, 'a'))));
  CHECK(tokenizer.decode(tokenizer.encode(prose)) == prose);
  CHECK(tokenizer.decode(tokenizer.encode(std::string(kMega, ' '))) == std::string(kMega, ' '));
}

TEST_CASE("The number of merges tried is linear in the text") {
  detail::MergeScratch scratch;
  constexpr std::size_t kSize = 1 << 20;
  for (std::size_t i = 0; i < kSize; ++i) detail::append_symbol(scratch.symbols, i, 1, 0);
  std::size_t tried = 0;
  detail::merge_symbols(scratch, [&](detail::Symbol const& left, detail::Symbol const& right) {
    ++tried;
    return left.size == right.size ? detail::Merge{left.size, 0} : detail::Merge{};
  });
  CHECK(scratch.symbols[0].size == kSize);
  CHECK(tried < 3 * kSize);
}

TEST_CASE("The streaming detokenizer holds back what may become a character") {
  auto const vocabulary = small_spm();
  StreamingDetokenizer stream{Tokenizer(vocabulary)};
  auto const push = [&](std::string_view token) { return std::string(stream.push(id_of(vocabulary, token))); };
  CHECK(push("<s>") == "");
  CHECK(push("\u2581hello") == "hello");  // the prefix is gone, as in decode
  CHECK(push("\u2581hello") == " hello");
  CHECK(push("<0xF0>") == "");
  CHECK(push("<0x9F>") == "");
  CHECK(push("<0x98>") == "");
  CHECK(push("<0x81>") == "\U0001f601");
  CHECK(push("<0xF0>") == "");
  CHECK(push("<0x9F>") == "");
  CHECK(push("a") ==
        "\ufffd"
        "a");  // one for the whole broken start
  CHECK(push("<0xFF>") == "\ufffd");
  CHECK(push("<0xC3>") == "");
  CHECK(push("<0xC3>") == "\ufffd");
  CHECK(stream.flush() == "\ufffd");
  CHECK(stream.flush() == "");
  CHECK(push("\u2581hello") == "hello");  // begins anew
}

TEST_CASE("A copy of a tokenizer outlives the first") {
  auto first = std::make_unique<Tokenizer>(small_spm());
  Tokenizer const copy = *first;
  auto const ids = first->encode("hello");
  first.reset();
  CHECK(copy.encode("hello") == ids);
  CHECK(copy.decode(ids) == "hello");
}
