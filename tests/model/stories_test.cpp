// The trained model of ../shared/data: llama.cpp's greedy text and logits, from both file formats, and the contract.
#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"
#include "model/random_model.hpp"
#include "model/run_in_chunks.hpp"
#include "test_data.hpp"

using namespace lamina;
using namespace lamina::test;

namespace {

/// A prompt with, for each of its positions, the eight highest logits, and the greedy continuation.
struct Golden {
  std::vector<Token> prompt;
  std::vector<std::vector<std::pair<Token, double>>> top;
  std::vector<Token> greedy;
};

/// Reads the numbers of the golden file in their order, key by key: all that its JSON is made of besides one text.
class GoldenReader {
 public:
  explicit GoldenReader(std::filesystem::path const& path) {
    std::ifstream in(path);
    text_.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::vector<Golden> read() {
    std::vector<Golden> all;
    while (seek("\"prompt\":")) {
      Golden& g = all.emplace_back();
      for (double const x : numbers()) g.prompt.push_back(static_cast<Token>(x));
      seek("\"top8\":");
      auto const flat = numbers();
      for (std::size_t i = 0; i < flat.size(); i += 2) {
        if (i % 16 == 0) g.top.emplace_back();
        g.top.back().emplace_back(static_cast<Token>(flat[i]), flat[i + 1]);
      }
      seek("\"greedy\":");
      for (double const x : numbers()) g.greedy.push_back(static_cast<Token>(x));
    }
    return all;
  }

 private:
  bool seek(std::string_view key) {
    std::size_t const found = text_.find(key, at_);
    if (found == std::string::npos) return false;
    at_ = found + key.size();
    return true;
  }
  /// All numbers of the array that begins here, however deep.
  std::vector<double> numbers() {
    std::vector<double> out;
    int depth = 0;
    do {
      char const c = text_.at(at_);
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-') {
        char* end = nullptr;
        out.push_back(std::strtod(text_.c_str() + at_, &end));
        at_ = static_cast<std::size_t>(end - text_.c_str());
      } else {
        ++at_;
      }
    } while (depth > 0);
    return out;
  }

  std::string text_;
  std::size_t at_ = 0;
};

using F32Cache = ContiguousCache<KvElement::kF32>;
using F16Cache = ContiguousCache<KvElement::kF16>;

Token argmax(std::span<float const> logits) {
  return static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

template <class C, class M>
void check_golden(M const& model, std::vector<Golden> const& goldens, double tolerance) {
  for (Golden const& g : goldens) {
    Session<M, C> session(model, {.capacity = 512, .max_logits = 64});
    Logits const logits = session.evaluate(g.prompt);
    REQUIRE(logits.rows == g.top.size());
    for (std::size_t r = 0; r < logits.rows; ++r) {
      for (auto const& [token, expected] : g.top[r]) {
        CHECK(std::abs(static_cast<double>(logits.row(r)[static_cast<std::size_t>(token)]) - expected) <= tolerance);
      }
    }
    std::vector<Token> greedy;
    for (std::size_t i = 0; i < g.greedy.size(); ++i) {
      greedy.push_back(argmax(session.logits()));
      if (i + 1 < g.greedy.size()) session.step(greedy.back());
    }
    CHECK(greedy == g.greedy);
  }
}

std::vector<Token> story(Golden const& g, std::size_t n) {
  std::vector<Token> tokens = g.prompt;
  tokens.insert(tokens.end(), g.greedy.begin(), g.greedy.end());
  tokens.resize(std::min(tokens.size(), n));
  return tokens;
}

}  // namespace

TEST_CASE("greedy text and the highest logits are llama.cpp's, from GGUF and from llama2.c") {
  LAMINA_REQUIRE_SHARED(gguf, "stories260K.gguf");
  LAMINA_REQUIRE_SHARED(bin, "stories260K.bin");
  LAMINA_REQUIRE_SHARED(json, "stories260K.golden.json");
  auto const goldens = GoldenReader(json).read();
  REQUIRE(goldens.size() == 3);
  auto const model = Model<Llama>::load(Checkpoint::open(gguf));
  check_golden<F32Cache>(model, goldens, 1e-3);
  check_golden<F32Cache>(Model<Llama>::load(Checkpoint::open(bin), {.threads = 2}), goldens, 1e-3);
  check_golden<F16Cache>(model, goldens, 2e-2);  // the f16 cache gives the same text
}

TEST_CASE("a llama2.c file gives the same bits as the GGUF file") {
  LAMINA_REQUIRE_SHARED(gguf, "stories260K.gguf");
  LAMINA_REQUIRE_SHARED(bin, "stories260K.bin");
  auto const tokens = random_tokens(60, 512);
  CHECK(run<F32Cache>(Model<Llama>::load(Checkpoint::open(gguf)), tokens, 60) ==
        run<F32Cache>(Model<Llama>::load(Checkpoint::open(bin)), tokens, 60));
}

/// Of the logits that each format gives, recorded on x86-64 with GCC 12.
std::map<Format, std::uint64_t> const kFingerprints{{Format::kF32, 0x446113dcd6e17e3b},
                                                    {Format::kF16, 0x513c14e22c28bd5c},
                                                    {Format::kBF16, 0x160180c6a64f7c4b},
                                                    {Format::kQ8_0, 0xbec691a96a239a13},
                                                    {Format::kQ4_0, 0x7af14e4ff69e5dce}};

TEST_CASE("the contract holds for each format on a trained model") {
  LAMINA_REQUIRE_SHARED(gguf, "stories260K.gguf");
  LAMINA_REQUIRE_SHARED(json, "stories260K.golden.json");
  auto const checkpoint = Checkpoint::open(gguf);
  auto const tokens = story(GoldenReader(json).read().front(), 100);
  for (FormatTraits const& t : kFormats) {
    if (checkpoint.tensor("token_embd.weight").dims[0] % t.block != 0) continue;  // would stay as stored
    CAPTURE(t.name);
    auto const load = [&](LoadOptions options) {
      options.convert = t.format;
      return Model<Llama>::load(checkpoint, options);
    };
    Bits const expected = run<F16Cache>(load({.kernels = &reference_kernels()}), tokens, tokens.size());
    CHECK(fnv1a(expected) == kFingerprints.at(t.format));
    for (std::size_t const chunk : {1u, 2u, 3u, 7u, 32u, 100u}) {
      CAPTURE(chunk);
      CHECK(run<F16Cache>(load({}), tokens, chunk) == expected);
    }
    for (std::size_t const threads : {2u, 3u, 4u})
      CHECK(run<F16Cache>(load({.threads = threads}), tokens, 50) == expected);
    for (KernelTable const* kernels : available_kernels()) {
      if (kernels->bit_exact) CHECK(run<F16Cache>(load({.kernels = kernels}), tokens, 32) == expected);
    }
  }
}
