// Fuzzes byte-level BPE with every pre-tokenizer: with a vocabulary of all bytes, decode gives back what encode took;
// with one made of the input, nothing worse than an Error happens.
//
// Input: a byte for the pre-tokenizer, a byte of flags, then text; with kOwnMerges merges before it, each two lengths
// in a byte and the bytes of both parts.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "../text/small_vocabularies.hpp"
#include "tokenizer_properties.hpp"

namespace {

enum Flags : unsigned {
  kIgnoreMerges = 1,
  kParseSpecial = 2,
  kUserDefined = 4,
  kOwnMerges = 8,
  kNoBytes = 16,
  kRawMerges = 32
};

std::string in_alphabet(std::string_view bytes) {
  std::string text;
  for (char const c : bytes) text += lamina::test::alphabet_of(static_cast<unsigned char>(c));
  return text;
}

void add_merges(lamina::Vocabulary& vocabulary, unsigned flags, lamina::test::FuzzInput& input) {
  for (unsigned n = input.byte() % 16; n > 0; --n) {
    unsigned const lengths = input.byte();
    std::string_view const left = input.take(lengths % 8 + 1);
    std::string_view const right = input.take(lengths / 8 % 8 + 1);
    if (flags & kRawMerges) {
      vocabulary.merges.push_back(std::string(left) + " " + std::string(right));
    } else {
      vocabulary.merges.push_back(in_alphabet(left) + " " + in_alphabet(right));
    }
    if (lengths & 0x40) lamina::test::add_token(vocabulary, in_alphabet(left) + in_alphabet(right));
  }
}

lamina::Vocabulary make_vocabulary(lamina::PreTokenizer pre, unsigned flags, lamina::test::FuzzInput& input) {
  static auto const base = lamina::test::small_bpe(lamina::PreTokenizer::kDefault);
  auto vocabulary = base;
  vocabulary.pre = pre;
  vocabulary.ignore_merges = (flags & kIgnoreMerges) != 0;
  if (flags & kUserDefined) lamina::test::add_token(vocabulary, "<sep>", lamina::TokenType::kUserDefined);
  if (flags & kOwnMerges) add_merges(vocabulary, flags, input);
  if (flags & kNoBytes) {
    for (std::size_t byte = 0x80; byte < 0x100; ++byte) vocabulary.types[byte] = lamina::TokenType::kControl;
  }
  return vocabulary;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  lamina::test::FuzzInput input({reinterpret_cast<char const*>(data), size});
  auto const& kinds = lamina::test::kAllPreTokenizers;
  auto const pre = kinds[input.byte() % kinds.size()];
  unsigned const flags = input.byte() % 64;
  try {
    auto const tokenizer = [&] {
      if (flags & kOwnMerges) return lamina::Tokenizer(make_vocabulary(pre, flags, input));
      static std::map<unsigned, lamina::Tokenizer> made;  // a tokenizer costs a hundred times what a short text does
      unsigned const key = static_cast<unsigned>(pre) * 64 + flags;
      auto const found = made.find(key);
      return found != made.end()
                 ? found->second
                 : made.emplace(key, lamina::Tokenizer(make_vocabulary(pre, flags, input))).first->second;
    }();
    std::string_view const text = input.rest();
    lamina::test::check_round(
        tokenizer, text,
        {.is_complete = (flags & kNoBytes) == 0, .parse_special = (flags & kParseSpecial) != 0, .is_exact = true});
  } catch (lamina::Error const&) {
    if ((flags & kOwnMerges) == 0) __builtin_trap();  // only a merge of the input can be bad
  }
  return 0;
}
