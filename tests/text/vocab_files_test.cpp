// Every text of the vocabulary files gives exactly the expected ids, and the ids give back the text.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "lamina/io/checkpoint.hpp"
#include "lamina/text/detokenizer.hpp"
#include "lamina/text/tokenizer.hpp"
#include "test_data.hpp"

using namespace lamina;

namespace {

std::string read_text(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The parts that end with the separator.
std::vector<std::string> split(std::string const& text, std::string const& separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + separator.size()) {
    parts.push_back(text.substr(begin, end - begin));
  }
  CHECK(begin == text.size());
  return parts;
}

std::vector<Token> parse_ids(std::string const& line) {
  std::istringstream in(line);
  return {std::istream_iterator<Token>(in), {}};
}

std::string stream(Tokenizer const& tokenizer, std::vector<Token> const& ids) {
  StreamingDetokenizer detokenizer(tokenizer);
  std::string text;
  for (Token const id : ids) {
    auto const part = detokenizer.push(id);
    for (std::size_t pos = 0; pos < part.size();) {
      auto const step = detail::decode_utf8(part, pos);
      REQUIRE(step.valid);
      pos += step.size;
    }
    text += part;
  }
  return text += detokenizer.flush();
}

void check_file(std::string const& name) {
  LAMINA_REQUIRE_SHARED(path, "vocab/ggml-vocab-" + name + ".gguf");
  Tokenizer const tokenizer(read_vocabulary(Checkpoint::open(path).metadata()));
  auto const texts = split(read_text(path.string() + ".inp"), "\n__ggml_vocab_test__\n");
  auto const lines = split(read_text(path.string() + ".out"), "\n");
  REQUIRE(texts.size() == 46);
  REQUIRE(lines.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(texts[i]);
    auto const ids = tokenizer.encode(texts[i], {.add_bos = false});
    CHECK(ids == parse_ids(lines[i]));
    CHECK(tokenizer.decode(ids) == texts[i]);
    CHECK(stream(tokenizer, ids) == texts[i]);
  }
}

}  // namespace

TEST_CASE("deepseek-llm gives the expected ids") { check_file("deepseek-llm"); }
TEST_CASE("falcon gives the expected ids") { check_file("falcon"); }
TEST_CASE("gpt-2 gives the expected ids") { check_file("gpt-2"); }
TEST_CASE("llama-bpe gives the expected ids") { check_file("llama-bpe"); }
TEST_CASE("llama-spm gives the expected ids") { check_file("llama-spm"); }
TEST_CASE("phi-3 gives the expected ids") { check_file("phi-3"); }
TEST_CASE("qwen2 gives the expected ids") { check_file("qwen2"); }

TEST_CASE("stories260K has the same tokenizer as GGUF and as tok512.bin, with the golden ids") {
  LAMINA_REQUIRE_SHARED(gguf, "stories260K.gguf");
  LAMINA_REQUIRE_SHARED(bin, "tok512.bin");
  Tokenizer const from_gguf(read_vocabulary(Checkpoint::open(gguf).metadata()));
  Tokenizer const from_bin(read_llama2c_vocabulary(bin, 512));
  std::pair<std::string, std::vector<Token>> const golden[] = {
      {"Once upon a time", {1, 403, 407, 261, 378}},
      {"Lily and Tom went to the park. \"Look!\" said Tom.",
       {1,   317, 269, 274, 287, 263, 377, 267, 265, 282, 295, 433,
        426, 313, 438, 347, 433, 443, 436, 336, 274, 287, 426}},
      {"The dragon ñ was 3 years old\n",
       {1, 291, 279, 420, 412, 428, 289, 410, 493, 286, 410, 472, 348, 411, 295, 419, 334, 341, 13}},
  };
  for (auto const& [text, ids] : golden) {
    CHECK(from_gguf.encode(text) == ids);
    CHECK(from_bin.encode(text) == ids);
    CHECK(from_bin.decode(ids) == text);
  }
  for (Token id = 0; id < 512; ++id) CHECK(from_gguf.piece(id) == from_bin.piece(id));
}

TEST_CASE("A byte without a token becomes U+FFFD: Falcon lacks 28 of them") {
  LAMINA_REQUIRE_SHARED(path, "vocab/ggml-vocab-falcon.gguf");
  Tokenizer const tokenizer(read_vocabulary(Checkpoint::open(path).metadata()));
  CHECK(tokenizer.decode(tokenizer.encode("a\x03"
                                          "b")) ==
        "a\ufffd"
        "b");
}

TEST_CASE("End tokens are known by their texts") {
  LAMINA_REQUIRE_SHARED(path, "vocab/ggml-vocab-llama-bpe.gguf");
  Tokenizer const tokenizer(read_vocabulary(Checkpoint::open(path).metadata()));
  CHECK(tokenizer.ends_generation(128001));  // <|end_of_text|>, the file's EOS
  CHECK(tokenizer.ends_generation(128009));  // <|eot_id|>
  CHECK_FALSE(tokenizer.ends_generation(128000));
  CHECK_FALSE(tokenizer.ends_generation(0));
  CHECK(tokenizer.encode("a<|eot_id|>").size() > 3);
  CHECK(tokenizer.encode("a<|eot_id|>", {.parse_special = true}) == std::vector<Token>{128000, 64, 128009});
}
