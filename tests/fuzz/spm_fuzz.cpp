// Fuzzes SentencePiece BPE: with a vocabulary of all bytes, decode gives back what encode took; with one made of the
// input, nothing worse than an Error happens.
//
// Input: a byte of flags, then text; with kOwnPieces pieces of the vocabulary before it, each a length byte and bytes.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "../text/small_vocabularies.hpp"
#include "tokenizer_properties.hpp"

namespace {

enum Flags : unsigned {
  kNoPrefix = 1,
  kParseSpecial = 2,
  kUserDefined = 4,
  kOwnPieces = 8,
  kNoBytes = 16,
  kNoUnknown = 32
};

lamina::Vocabulary make_vocabulary(unsigned flags, lamina::test::FuzzInput& input) {
  static auto const base = lamina::test::small_spm();
  auto vocabulary = base;
  vocabulary.add_space_prefix = (flags & kNoPrefix) == 0;
  if (flags & kUserDefined) lamina::test::add_token(vocabulary, "<sep>", lamina::TokenType::kUserDefined);
  if (flags & kOwnPieces) {
    for (unsigned n = input.byte() % 16; n > 0; --n) {
      auto const type = static_cast<lamina::TokenType>(input.byte() % 6);
      auto const score = static_cast<float>(input.byte());
      lamina::test::add_token(vocabulary, std::string(input.take(input.byte() % 16)), type, score);
    }
  }
  if (flags & kNoBytes) {
    for (auto& type : vocabulary.types) {
      if (type == lamina::TokenType::kByte) type = lamina::TokenType::kUnused;
    }
  }
  if (flags & kNoUnknown) vocabulary.unknown = lamina::kNoToken;
  return vocabulary;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  lamina::test::FuzzInput input({reinterpret_cast<char const*>(data), size});
  unsigned const flags = input.byte() % 64;
  auto const tokenizer = [&] {
    if (flags & kOwnPieces) return lamina::Tokenizer(make_vocabulary(flags, input));
    static std::map<unsigned, lamina::Tokenizer> made;  // a tokenizer costs a hundred times what a short text does
    auto const found = made.find(flags);
    return found != made.end() ? found->second
                               : made.emplace(flags, lamina::Tokenizer(make_vocabulary(flags, input))).first->second;
  }();
  std::string_view const text = input.rest();
  lamina::test::check_round(
      tokenizer, text,
      {.is_complete = (flags & kNoBytes) == 0, .parse_special = (flags & kParseSpecial) != 0, .is_exact = false});
  return 0;
}
