// Vocabularies that contradict themselves are errors that name file and key.
#include "lamina/text/vocabulary.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "lamina/io/metadata_builder.hpp"
#include "lamina/text/tokenizer.hpp"
#include "text/small_vocabularies.hpp"

using namespace lamina;

namespace {

using Strings = std::vector<std::string>;

MetadataBuilder spm() {
  MetadataBuilder builder;
  builder.set("tokenizer.ggml.model", std::string("llama"));
  builder.set("tokenizer.ggml.tokens", Strings{"<unk>", "<s>", "</s>", "<0x41>", "a"});
  builder.set("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, 0, -1});
  builder.set("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 6, 1});
  return builder;
}

MetadataBuilder bpe() {
  MetadataBuilder builder;
  builder.set("tokenizer.ggml.model", std::string("gpt2"));
  builder.set("tokenizer.ggml.pre", std::string("gpt-2"));
  builder.set("tokenizer.ggml.tokens", Strings{"a", "b", "ab"});
  builder.set("tokenizer.ggml.merges", Strings{"a b"});
  return builder;
}

/// Reading it, or making a tokenizer of it, is an Error with this code whose message starts with the file's name and
/// holds both texts.
void check_error(MetadataBuilder const& builder, Errc code, std::string const& key, std::string const& what) {
  CAPTURE(key);
  CAPTURE(what);
  try {
    Tokenizer const tokenizer(read_vocabulary(builder.build("bad.gguf")));
    FAIL_CHECK("no error");
  } catch (Error const& e) {
    CAPTURE(e.what());
    CHECK(e.code() == code);
    std::string const message = e.what();
    CHECK(message.starts_with("bad.gguf: "));
    CHECK(message.find(key) != std::string::npos);
    CHECK(message.find(what) != std::string::npos);
  }
}

/// A tokenizer file of llama2.c with n_vocab tokens, written to a temporary file.
class Llama2cFile {
 public:
  explicit Llama2cFile(std::size_t n_vocab) {
    put(std::uint32_t{8});
    for (std::size_t i = 0; i < n_vocab; ++i) {
      std::string const text = token(i);
      put(-static_cast<float>(i));
      put(static_cast<std::uint32_t>(text.size()));
      bytes += text;
    }
  }
  ~Llama2cFile() { std::filesystem::remove(path); }

  std::filesystem::path write() const {
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  template <class T>
  void put(T value) {
    std::array<char, sizeof(T)> raw;
    std::memcpy(raw.data(), &value, sizeof(T));
    bytes.append(raw.data(), raw.size());
  }

  std::string bytes;
  std::filesystem::path path = std::filesystem::path(LAMINA_TEST_BINARY_DIR) / "vocabulary_test.tokenizer.bin";

 private:
  static std::string token(std::size_t i) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    if (i == 0) return "<unk>";
    if (i < 3) return i == 1 ? "\n<s>\n" : "\n</s>\n";
    if (i < 259) return std::string("<0x") + kHex[(i - 3) / 16] + kHex[(i - 3) % 16] + ">";
    return std::string(1, static_cast<char>('a' + i - 259));
  }
};

void check_llama2c_error(Llama2cFile const& file, std::size_t n_vocab, std::string const& what) {
  CAPTURE(what);
  try {
    (void)read_llama2c_vocabulary(file.write(), n_vocab);
    FAIL_CHECK("no error");
  } catch (Error const& e) {
    CAPTURE(e.what());
    CHECK(e.code() == Errc::kCorrupt);
    CHECK(std::string(e.what()).starts_with(file.path.string()));
    CHECK(std::string(e.what()).find(what) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("A SentencePiece vocabulary takes its conventions where the file is silent") {
  auto const vocabulary = read_vocabulary(spm().build("good.gguf"));
  CHECK(vocabulary.source == "good.gguf");
  CHECK(vocabulary.model == TokenizerModel::kSentencePiece);
  CHECK(vocabulary.tokens.size() == 5);
  CHECK(vocabulary.types[3] == TokenType::kByte);
  CHECK(vocabulary.bos == 1);
  CHECK(vocabulary.eos == 2);
  CHECK(vocabulary.unknown == 0);
  CHECK(vocabulary.add_bos);
  CHECK_FALSE(vocabulary.add_eos);
  CHECK(vocabulary.add_space_prefix);
  auto const other = read_vocabulary(spm()
                                         .set("tokenizer.ggml.add_space_prefix", false)
                                         .set("tokenizer.ggml.add_bos_token", false)
                                         .set("tokenizer.ggml.add_eos_token", true)
                                         .set("tokenizer.ggml.eos_token_id", std::uint32_t{4})
                                         .set("tokenizer.chat_template", std::string("{{ x }}"))
                                         .build("good.gguf"));
  CHECK_FALSE(other.add_space_prefix);
  CHECK_FALSE(other.add_bos);
  CHECK(other.add_eos);
  CHECK(other.eos == 4);
  CHECK(other.chat_template == "{{ x }}");
}

TEST_CASE("A byte-level vocabulary") {
  auto const vocabulary = read_vocabulary(bpe().build("good.gguf"));
  CHECK(vocabulary.model == TokenizerModel::kByteLevelBpe);
  CHECK(vocabulary.pre == PreTokenizer::kGpt2);
  CHECK(vocabulary.bos == kNoToken);
  CHECK_FALSE(vocabulary.add_bos);
  CHECK(vocabulary.merges == Strings{"a b"});
  CHECK(vocabulary.types == std::vector<TokenType>(3, TokenType::kNormal));
  auto const llama3 = read_vocabulary(bpe()
                                          .set("tokenizer.ggml.pre", std::string("llama-bpe"))
                                          .set("tokenizer.ggml.bos_token_id", std::uint32_t{0})
                                          .build("good.gguf"));
  CHECK(llama3.pre == PreTokenizer::kLlama3);
  CHECK(llama3.ignore_merges);
  CHECK(llama3.add_bos);
}

TEST_CASE("Unknown kinds are named") {
  check_error(bpe().set("tokenizer.ggml.model", std::string("rwkv")), Errc::kUnsupported, "'tokenizer.ggml.model'",
              "'rwkv'");
  check_error(bpe().set("tokenizer.ggml.pre", std::string("martian")), Errc::kUnsupported, "'tokenizer.ggml.pre'",
              "'martian'");
}

TEST_CASE("Missing keys are named") {
  check_error(MetadataBuilder{}, Errc::kMissing, "tokenizer.ggml.model", "missing");
  check_error(MetadataBuilder{}.set("tokenizer.ggml.model", std::string("llama")), Errc::kMissing,
              "tokenizer.ggml.tokens", "missing");
  check_error(
      MetadataBuilder{}.set("tokenizer.ggml.model", std::string("llama")).set("tokenizer.ggml.tokens", Strings{"a"}),
      Errc::kMissing, "tokenizer.ggml.scores", "missing");
  check_error(
      MetadataBuilder{}.set("tokenizer.ggml.model", std::string("gpt2")).set("tokenizer.ggml.tokens", Strings{"a"}),
      Errc::kMissing, "tokenizer.ggml.merges", "missing");
}

TEST_CASE("Sizes that disagree are named") {
  check_error(spm().set("tokenizer.ggml.scores", std::vector<float>{0, 0}), Errc::kCorrupt, "'tokenizer.ggml.scores'",
              "2 elements, the vocabulary has 5 tokens");
  check_error(spm().set("tokenizer.ggml.token_type", std::vector<std::int32_t>(6, 1)), Errc::kCorrupt,
              "'tokenizer.ggml.token_type'", "6 elements, the vocabulary has 5 tokens");
  check_error(bpe().set("tokenizer.ggml.tokens", Strings{}), Errc::kCorrupt, "'tokenizer.ggml.tokens'", "0 elements");
}

TEST_CASE("Bad ids and values are named") {
  for (std::string const name : {"bos", "eos", "eot", "eom", "unknown"}) {
    std::string const key = "tokenizer.ggml." + name + "_token_id";
    check_error(spm().set(key, std::uint32_t{5}), Errc::kCorrupt, "'" + key + "'", "is 5");
    check_error(spm().set(key, std::uint32_t{0xffffffff}), Errc::kCorrupt, "'" + key + "'", "");
    check_error(spm().set(key, std::int32_t{-2}), Errc::kCorrupt, "'" + key + "'", "is -2");
    check_error(spm().set(key, 1.0f), Errc::kCorrupt, "'" + key + "'", "type");
  }
  check_error(spm().set("tokenizer.ggml.scores", std::vector<float>{0, 0, std::nanf(""), 0, 0}), Errc::kCorrupt,
              "'tokenizer.ggml.scores'", "element 2");
  check_error(spm().set("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 7, 6, 1}), Errc::kCorrupt,
              "'tokenizer.ggml.token_type'", "element 2 is 7");
  check_error(spm().set("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 6, 6}), Errc::kCorrupt,
              "'tokenizer.ggml.tokens'", "element 4 'a' is of type byte");
  Strings const with_long{"<unk>", "<s>", "</s>", "<0x41>", std::string(kMaxSpecialBytes + 1, 'a')};
  CHECK_NOTHROW(Tokenizer(read_vocabulary(spm().set("tokenizer.ggml.tokens", with_long).build("good.gguf"))));
  check_error(spm()
                  .set("tokenizer.ggml.tokens", with_long)
                  .set("tokenizer.ggml.token_type", std::vector<std::int32_t>{2, 3, 3, 6, 4}),
              Errc::kCorrupt, "'tokenizer.ggml.tokens'", "is a special token of 257 bytes, expected up to 256");
  check_error(bpe().set("tokenizer.ggml.add_bos_token", true), Errc::kCorrupt, "'tokenizer.ggml.add_bos_token'",
              "no 'tokenizer.ggml.bos_token_id'");
  for (std::string const merge : {"ab", "", " ", "a ", " b"}) {
    check_error(bpe().set("tokenizer.ggml.merges", Strings{"a b", merge}), Errc::kCorrupt, "'tokenizer.ggml.merges'",
                "element 1");
  }
}

TEST_CASE("llama2.c's tokenizer file") {
  Llama2cFile const file(261);
  auto const vocabulary = read_llama2c_vocabulary(file.write(), 261);
  CHECK(vocabulary.tokens[1] == "<s>");
  CHECK(vocabulary.types[2] == TokenType::kControl);
  CHECK(vocabulary.types[3] == TokenType::kByte);
  CHECK(vocabulary.types[258] == TokenType::kByte);
  CHECK(vocabulary.types[259] == TokenType::kNormal);
  CHECK(vocabulary.tokens[260] == "b");
  CHECK(vocabulary.scores[260] == -260.0f);
}

TEST_CASE("A bad tokenizer file of llama2.c is named") {
  check_llama2c_error(Llama2cFile(261), 262, "");
  check_llama2c_error(Llama2cFile(261), 260, "bytes follow the last of 260 tokens");
  check_llama2c_error(Llama2cFile(261), 32000, "32000 tokens do not fit");
  check_llama2c_error(Llama2cFile(261), std::size_t{1} << 60, "do not fit");
  check_llama2c_error(Llama2cFile(261), 258, "expected at least 259");
  Llama2cFile const whole(261);
  for (std::size_t size = 0; size < whole.bytes.size(); size += 7) {
    Llama2cFile cut(261);
    cut.bytes.resize(size);
    check_llama2c_error(cut, 261, "");
  }
  Llama2cFile huge(260);
  huge.put(0.0f);
  huge.put(std::uint32_t{0xffffffff});
  check_llama2c_error(huge, 261, "token needs 4294967295 bytes");
  CHECK_THROWS_AS((void)read_llama2c_vocabulary("/nonexistent/tokenizer.bin", 261), Error);
}
