// The model that ships with lamina, end to end through the programs: its answers, its formats, its draft.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "child.hpp"
#include "test_data.hpp"

using lamina::test::ids_of;
using lamina::test::read_file;
using lamina::test::run;
using Arguments = std::vector<std::string>;

namespace {

std::filesystem::path const kFolder = LAMINA_TINY_MODEL;

std::string tiny(std::string const& format) { return kFolder / ("tiny-" + format + ".gguf"); }

/// A path that is free again when the test ends.
struct TemporaryFile {
  explicit TemporaryFile(std::string const& name)
      : path(std::filesystem::temp_directory_path() / ("lamina-" + std::to_string(::getpid()) + "-" + name)) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
  TemporaryFile(TemporaryFile const&) = delete;
  TemporaryFile& operator=(TemporaryFile const&) = delete;
  std::filesystem::path path;
};

/// The number that follows a text.
double number_after(std::string const& text, std::string const& what) {
  auto const at = text.find(what);
  REQUIRE_MESSAGE(at != std::string::npos, what << " is missing in:\n" << text);
  return std::stod(text.substr(at + what.size()));
}

}  // namespace

TEST_CASE("the shipped model answers, the same in every format, thread count and target") {
  LAMINA_REQUIRE_EXAMPLE(chat, "chat");
  for (char const* format : {"F16", "Q8_0", "Q4_0"}) {
    for (Arguments const& options : {Arguments{"--threads", "1"}, Arguments{"--threads", "2"},
                                     Arguments{"--kernel-target", "reference"}, Arguments{"--prefill-chunk", "3"}}) {
      Arguments arguments{"-m", tiny(format), "--temp", "0"};
      arguments.insert(arguments.end(), options.begin(), options.end());
      auto const r = run(chat, arguments, "What is the capital of Peru?");
      CHECK(r.code == 0);
      CHECK(r.out == "The capital of Peru is Lima.\n");
    }
  }
}

TEST_CASE("the shipped model remembers what was said before") {
  LAMINA_REQUIRE_EXAMPLE(chat, "chat");
  auto const r = run(chat, {"-m", tiny("F16"), "--temp", "0", "--interactive"},
                     "What is the capital of Norway?\nAnd its currency?\n27 + 45\nHello!\n");
  CHECK(r.code == 0);
  CHECK(r.out ==
        "The capital of Norway is Oslo.\nThe currency of Norway is the Norwegian krone.\n27 + 45 = 72.\n"
        "Hello! How can I help you?\n");
}

TEST_CASE("quantize writes the shipped files, and what --convert gives") {
  LAMINA_REQUIRE_EXAMPLE(quantize, "quantize");
  LAMINA_REQUIRE_EXAMPLE(logits, "logits");
  for (std::string const format : {"Q8_0", "Q6_K", "Q4_K", "Q4_0"}) {
    TemporaryFile const quantized("tiny.gguf");
    auto const r = run(quantize, {"-m", tiny("F16"), "-o", quantized.path.string(), "--format", format});
    CHECK(r.code == 0);
    if (std::filesystem::exists(tiny(format))) {
      CHECK((read_file(quantized.path) == read_file(tiny(format))));  // in brackets: megabytes are not to be printed
    }

    TemporaryFile const stored("stored.f32");
    TemporaryFile const converted("converted.f32");
    Arguments const ids{"--ids", "1 301 302 303 304"};
    CHECK(run(logits, {"-m", quantized.path.string(), ids[0], ids[1], "-o", stored.path.string()}).code == 0);
    CHECK(run(logits, {"-m", tiny("F16"), "--convert", format, ids[0], ids[1], "-o", converted.path.string()}).code ==
          0);
    CHECK(read_file(stored.path).size() > 5 * 2000 * sizeof(float));
    CHECK((read_file(stored.path) == read_file(converted.path)));
  }
  TemporaryFile const same("same.gguf");  // the options of generate
  CHECK(run(quantize, {"-m", tiny("F16"), "-o", same.path.string(), "--convert", "Q4_0", "--threads", "2",
                       "--kernel-target", "reference", "--prefill-chunk", "8"})
            .code == 0);
  CHECK((read_file(same.path) == read_file(tiny("Q4_0"))));
  CHECK(run(quantize, {"-m", tiny("F16"), "-o", "x.gguf"}).code == 2);
  CHECK(run(quantize, {"-m", tiny("F16"), "--format", "Q4_0"}).code == 2);
  CHECK(run(quantize, {"-m", tiny("F16"), "-o", "/no/such/folder/x.gguf", "--format", "Q4_0"}).code == 1);
}

TEST_CASE("pack writes a file that answers as the one it was made from, and that cannot be packed again") {
  LAMINA_REQUIRE_EXAMPLE(pack, "pack");
  LAMINA_REQUIRE_EXAMPLE(chat, "chat");
  LAMINA_REQUIRE_EXAMPLE(quantize, "quantize");
  TemporaryFile const packed("packed.gguf");
  for (Arguments const& options : {Arguments{}, Arguments{"--convert", "Q4_K"}}) {
    Arguments arguments{tiny("F16"), packed.path.string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    CHECK(run(pack, arguments).code == 0);
    auto const r = run(chat, {"-m", packed.path.string(), "--temp", "0"}, "What is the capital of Peru?");
    CHECK(r.code == 0);
    CHECK(r.out == "The capital of Peru is Lima.\n");
  }
  for (auto const& again : {run(pack, {packed.path.string(), "x.gguf"}),
                            run(quantize, {"-m", packed.path.string(), "-o", "x.gguf", "--format", "Q8_0"})}) {
    CHECK(again.code == 1);
    CHECK(again.err.find("token_embd.weight' is packed") != std::string::npos);
  }
  CHECK(run(pack, {tiny("F16")}).code == 2);
  CHECK(run(pack, {tiny("F16"), "x.gguf", "y.gguf"}).code == 2);
  CHECK(run(pack, {"no such file", "x.gguf"}).code == 1);
}

TEST_CASE("perplexity is exp of the mean surprise of each window's second half") {
  LAMINA_REQUIRE_EXAMPLE(perplexity, "perplexity");
  LAMINA_REQUIRE_EXAMPLE(tokenize, "tokenize");
  LAMINA_REQUIRE_EXAMPLE(logits, "logits");
  constexpr std::size_t kWindow = 64;
  TemporaryFile const text("text.txt");
  std::ofstream(text.path, std::ios::binary) << read_file(kFolder / "heldout.txt").substr(0, 800);
  // The second model puts a BOS in front of each text, and so of each window.
  for (std::string const& model : {tiny("F16"), lamina::test::shared_data("stories260K.gguf").string()}) {
    if (model.empty()) {
      MESSAGE("skipped: stories260K.gguf is not in " LAMINA_SHARED_DATA);
      continue;
    }
    bool const has_bos = model != tiny("F16");
    std::vector<int> const tokens = ids_of(run(tokenize, {"-m", model}, read_file(text.path)).out);
    REQUIRE(tokens.size() >= 2 * kWindow);
    double sum = 0.0;
    std::size_t n = 0;
    for (std::size_t begin = 0; begin + kWindow <= tokens.size(); begin += kWindow) {
      std::string window = std::to_string(has_bos ? 1 : tokens[begin]);
      for (std::size_t i = 1; i < kWindow; ++i) window += " " + std::to_string(tokens[begin + i]);
      TemporaryFile const output("window.f32");
      REQUIRE(run(logits, {"-m", model, "--ids", window, "-o", output.path.string()}).code == 0);
      std::string const bytes = read_file(output.path);
      std::vector<float> values(bytes.size() / sizeof(float));
      std::memcpy(values.data(), bytes.data(), bytes.size());
      std::size_t const n_vocab = values.size() / kWindow;
      for (std::size_t i = kWindow / 2; i + 1 < kWindow; ++i, ++n) {
        double total = 0.0;
        for (std::size_t v = 0; v < n_vocab; ++v) total += std::exp(static_cast<double>(values[i * n_vocab + v]));
        auto const next = static_cast<std::size_t>(tokens[begin + i + 1]);
        sum += std::log(total) - static_cast<double>(values[i * n_vocab + next]);
      }
    }
    auto const r = run(perplexity, {"-m", model, "-f", text.path.string(), "--context", std::to_string(kWindow)});
    CHECK(r.code == 0);
    // logits keeps keys and values in float32, perplexity in float16.
    CHECK(number_after(r.out, "perplexity ") == doctest::Approx(std::exp(sum / static_cast<double>(n))).epsilon(2e-3));
    CHECK(r.out.find("(" + std::to_string(n) + " tokens scored") != std::string::npos);
  }
  CHECK(run(perplexity, {"-m", tiny("F16")}).code == 2);
  CHECK(run(perplexity, {"-m", tiny("F16"), "-f", "no such file"}).code == 1);
  CHECK(run(perplexity, {"-m", tiny("F16"), "-f", text.path.string(), "--context", "512"}).code == 2);  // too short
}

#if !defined(LAMINA_TEST_SANITIZED)  // 9,000 answers

namespace {

/// The percentage in the row of a table.
double percent_of(std::string const& table, std::string const& row) {
  auto const begin = table.rfind("\n" + row + " ");
  REQUIRE_MESSAGE(begin != std::string::npos, row << " is missing in:\n" << table);
  auto const end = table.find('\n', begin + 1);
  return std::stod(table.substr(table.rfind(' ', end), end));
}

}  // namespace

TEST_CASE("accuracy: what the model must know, and how little quantization may cost") {
  LAMINA_REQUIRE_EXAMPLE(accuracy, "accuracy");
  auto const ask = [&](Arguments const& model) {
    Arguments arguments{"--threads", "2"};
    arguments.insert(arguments.end(), model.begin(), model.end());
    auto const r = run(accuracy, arguments);
    CHECK(r.code == 0);
    CHECK(r.out.find(" of 1910)") != std::string::npos);
    return r.out;
  };
  std::string const exact = ask({"-m", tiny("F16"), "--convert", "F32"});
  double const overall = number_after(exact, "\naccuracy ");
  CHECK(overall >= 90.0);
  CHECK(percent_of(exact, "phrasing") >= 90.0);
  CHECK(percent_of(exact, "countries") >= 95.0);
  CHECK(number_after(ask({"-m", tiny("Q8_0")}), "\naccuracy ") >= overall - 2.0);
  CHECK(number_after(ask({"-m", tiny("F16"), "--convert", "Q6_K"}), "\naccuracy ") >= overall - 2.0);
  CHECK(number_after(ask({"-m", tiny("F16"), "--convert", "Q4_K"}), "\naccuracy ") >= overall - 5.0);
  CHECK(number_after(ask({"-m", tiny("Q4_0")}), "\naccuracy ") >= overall - 5.0);
}

#endif

TEST_CASE("accuracy: a model agrees with itself; the draft mostly does") {
  LAMINA_REQUIRE_EXAMPLE(accuracy, "accuracy");
#if defined(LAMINA_TEST_SANITIZED)
  char const* const every = "200";
#else
  char const* const every = "20";
#endif
  Arguments const some{"-m", tiny("F16"), "--every", every, "--draft"};
  auto const ask = [&](std::string const& draft) {
    Arguments arguments = some;
    arguments.push_back(draft);
    return run(accuracy, arguments).out;
  };
  CHECK(number_after(ask(tiny("F16")), "draft agreement ") == 100.0);
  double const agreement = number_after(ask(kFolder / "draft-F16.gguf"), "draft agreement ");
  CHECK(agreement >= 75.0);
  CHECK(agreement < 100.0);
}

TEST_CASE("accuracy: a faulty evaluation set is an error that names file and line") {
  LAMINA_REQUIRE_EXAMPLE(accuracy, "accuracy");
  for (std::string const bad :
       {"a\tb\tc\tquestion", "a\tb", "a\tb\tc\tquestion\tanswer\tquestion", "a\tb\t\tq\ta", "a\tb\tc\tq\ta\r"}) {
    TemporaryFile const file("questions.tsv");
    std::ofstream(file.path, std::ios::binary) << "g\tc\tphrasing\tHello!\tHello! How can I help you?\n" << bad << "\n";
    auto const r = run(accuracy, {"-m", tiny("F16"), "-f", file.path.string()});
    CHECK(r.code == 1);
    CHECK(r.err.find(file.path.string() + ":2: ") != std::string::npos);
  }
  TemporaryFile const empty("empty.tsv");
  std::ofstream{empty.path};
  CHECK(run(accuracy, {"-m", tiny("F16"), "-f", empty.path.string()}).code == 1);
  TemporaryFile const file("long.tsv");
  std::ofstream(file.path, std::ios::binary) << "g\tc\tphrasing\t" << std::string(200, '7') << "\tanswer\n";
  auto const full = run(accuracy, {"-m", tiny("F16"), "--context", "32", "-f", file.path.string()});
  CHECK(full.code == 1);
  CHECK(full.err.find(file.path.string() + ":1: ") != std::string::npos);
  CHECK(full.err.find("the context of 32 tokens") != std::string::npos);
}
