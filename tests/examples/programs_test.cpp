// The example programs as their users run them: golden ids, round trips, conversations, exit codes.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "child.hpp"
#include "test_data.hpp"

using lamina::test::Child;
using lamina::test::ids_of;
using lamina::test::read_file;
using lamina::test::run;
using Arguments = std::vector<std::string>;

namespace {

/// Just enough JSON: the golden file is an array of {"text", "prompt", "top8", "greedy"}, in this order.
struct Golden {
  std::string text;
  std::vector<int> prompt;
  std::vector<std::vector<std::pair<int, float>>> top8;
  std::vector<int> greedy;
};

std::string json_string(std::string const& json, std::size_t& at) {
  std::string text;
  for (at = json.find('"', json.find(':', at)) + 1; json[at] != '"'; ++at) {
    if (json[at] != '\\') {
      text += json[at];
      continue;
    }
    char const c = json[++at];
    if (c == 'u') {
      auto const code = std::stoul(json.substr(at + 1, 4), nullptr, 16);
      REQUIRE(code < 0x800);  // all that the file has
      if (code < 0x80) {
        text += static_cast<char>(code);
      } else {
        text += static_cast<char>(0xc0 | (code >> 6));
        text += static_cast<char>(0x80 | (code & 0x3f));
      }
      at += 4;
    } else {
      text += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
  }
  return text;
}

/// The numbers of the bracketed value after the key.
std::vector<double> json_numbers(std::string const& json, std::string const& key, std::size_t& at) {
  at = json.find('[', json.find("\"" + key + "\"", at));
  std::vector<double> numbers;
  int depth = 0;
  do {
    char const c = json[at];
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == '-' || (c >= '0' && c <= '9')) {
      std::size_t used = 0;
      numbers.push_back(std::stod(json.substr(at, 32), &used));
      at += used;
    } else {
      ++at;
    }
  } while (depth != 0);
  return numbers;
}

std::vector<Golden> read_golden(std::filesystem::path const& path) {
  std::string const json = read_file(path);
  std::vector<Golden> all;
  for (std::size_t at = json.find("\"text\""); at != std::string::npos; at = json.find("\"text\"", at)) {
    Golden g;
    at += 6;
    g.text = json_string(json, at);
    for (double const x : json_numbers(json, "prompt", at)) g.prompt.push_back(static_cast<int>(x));
    auto const top8 = json_numbers(json, "top8", at);
    for (std::size_t i = 0; i < top8.size(); i += 2) {
      if (i % 16 == 0) g.top8.emplace_back();
      g.top8.back().emplace_back(static_cast<int>(top8[i]), static_cast<float>(top8[i + 1]));
    }
    for (double const x : json_numbers(json, "greedy", at)) g.greedy.push_back(static_cast<int>(x));
    all.push_back(g);
  }
  return all;
}

std::string text_of(std::vector<int> const& ids) {
  std::string text;
  for (int const id : ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return text;
}

/// -m FILE for both forms of the trained model.
std::vector<Arguments> model_arguments() {
  auto const data = [](char const* name) { return lamina::test::shared_data(name).string(); };
  return {{"-m", data("stories260K.gguf")}, {"-m", data("stories260K.bin"), "--tokenizer", data("tok512.bin")}};
}
Arguments operator+(Arguments a, Arguments const& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Arguments const kChat{"--threads", "1", "--chat-format", "chatml", "--temp", "0"};

}  // namespace

TEST_CASE("generate gives the golden ids, to the last one") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.golden.json");
  LAMINA_REQUIRE_EXAMPLE(generate, "generate");
  auto const golden = read_golden(path);
  REQUIRE(golden.size() == 3);
  for (auto const& g : golden) {
    REQUIRE(g.greedy.size() > 50);
    for (auto const& model : model_arguments()) {
      auto const r = run(generate, model + Arguments{"-p", g.text, "--ids", "--temp", "0", "-n",
                                                     std::to_string(g.greedy.size()), "--threads", "2"});
      CHECK(r.code == 0);
      CHECK(ids_of(r.out) == g.greedy);
      for (char const* figure : {"load time", "prompt tokens", "time to first token", "prefill", "decode", "GB/s"}) {
        CHECK(r.err.find(figure) != std::string::npos);
      }
    }
  }
}

TEST_CASE("generate: engine options change no token; text and ids agree; seeds replay") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  LAMINA_REQUIRE_EXAMPLE(generate, "generate");
  LAMINA_REQUIRE_EXAMPLE(tokenize, "tokenize");
  Arguments const base{"-m", path.string(), "-p", "One day", "-n", "40", "--quiet"};
  Arguments const drawn = base + Arguments{"--temp", "0.9", "--top-k", "50", "--seed", "5", "--ids"};
  auto const ids = run(generate, drawn);
  CHECK(ids.code == 0);
  CHECK(ids.err.empty());
  CHECK(ids_of(ids.out).size() == 40);
  CHECK(run(generate, drawn + Arguments{"--threads", "1", "--prefill-chunk", "1"}).out == ids.out);
  CHECK(run(generate, drawn + Arguments{"--threads", "3", "--kernel-target", "reference"}).out == ids.out);
  CHECK(run(generate, drawn + Arguments{"--seed", "6"}).out != ids.out);
  CHECK(ids_of(run(generate, drawn + Arguments{"--convert", "Q8_0"}).out).size() == 40);

  auto const text = run(generate, base + Arguments{"--temp", "0"});
  auto const greedy = run(generate, base + Arguments{"--temp", "0", "--ids"});
  auto const prompt = run(tokenize, {"-m", path.string()}, "One day");
  CHECK(run(tokenize, {"-m", path.string(), "--detokenize"}, prompt.out + greedy.out).out + "\n" ==
        "One day" + text.out);

  auto const stop = text.out.substr(10, 5);
  auto const stopped = run(generate, base + Arguments{"--temp", "0", "--stop", stop});
  CHECK(stopped.out == text.out.substr(0, text.out.find(stop)) + "\n");
}

TEST_CASE("logits agree with the golden top eight") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.golden.json");
  LAMINA_REQUIRE_EXAMPLE(logits, "logits");
  auto const file = std::filesystem::temp_directory_path() / ("lamina-logits-" + std::to_string(::getpid()));
  for (auto const& g : read_golden(path)) {
    for (auto const& model : model_arguments()) {
      auto const r =
          run(logits, model + Arguments{"--ids", text_of(g.prompt), "-o", file.string(), "--prefill-chunk", "4"});
      CHECK(r.code == 0);
      std::string const bytes = read_file(file);
      constexpr std::size_t kVocabulary = 512;
      REQUIRE(bytes.size() == g.prompt.size() * kVocabulary * sizeof(float));
      REQUIRE(g.top8.size() == g.prompt.size());
      std::vector<float> values(bytes.size() / sizeof(float));
      std::memcpy(values.data(), bytes.data(), bytes.size());
      for (std::size_t i = 0; i < g.prompt.size(); ++i) {
        for (auto const& [id, expected] : g.top8[i]) {
          CHECK(std::abs(values[i * kVocabulary + static_cast<std::size_t>(id)] - expected) <= 1e-3F);
        }
      }
    }
  }
  std::filesystem::remove(file);
}

TEST_CASE("tokenize and back") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.golden.json");
  LAMINA_REQUIRE_EXAMPLE(tokenize, "tokenize");
  for (auto const& g : read_golden(path)) {
    for (auto const& model : model_arguments()) {
      auto const r = run(tokenize, model, g.text);
      CHECK(r.code == 0);
      CHECK(r.out == text_of(g.prompt) + "\n");
      CHECK(run(tokenize, model + Arguments{"--detokenize"}, r.out).out == g.text);
      auto const no_bos = run(tokenize, model + Arguments{"--no-bos"}, g.text);
      CHECK("1 " + no_bos.out == r.out);
    }
  }
  auto const model = model_arguments()[0];
  CHECK(ids_of(run(tokenize, model + Arguments{"--no-bos", "--parse-special"}, "</s>").out) == std::vector<int>{2});
  CHECK(ids_of(run(tokenize, model + Arguments{"--no-bos"}, "</s>").out) != std::vector<int>{2});
  CHECK(run(tokenize, model + Arguments{"--detokenize"}, "1 2").out.empty());
  CHECK(run(tokenize, model + Arguments{"--detokenize", "--parse-special"}, "1 2").out == "</s>");
  CHECK(run(tokenize, model + Arguments{"--detokenize", "--parse-special", "--no-bos"}, "1 2").out == "<s></s>");
  CHECK(run(tokenize, model + Arguments{"--detokenize"}, "12 x").code == 2);
  CHECK(run(tokenize, model + Arguments{"--detokenize"}, "512").code == 1);
}

TEST_CASE("wrong options: a message and exit code 2; errors: a message and exit code 1") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  LAMINA_REQUIRE_EXAMPLE(generate, "generate");
  LAMINA_REQUIRE_EXAMPLE(logits, "logits");
  Arguments const base{"-m", path.string(), "-p", "x"};
  std::vector<Arguments> const wrong{{"-n", "0"},
                                     {"-n", "-1"},
                                     {"-n", "1e3"},
                                     {"--temp", "-0.1"},
                                     {"--temp", "nan"},
                                     {"--top-k", "0"},
                                     {"--top-p", "0"},
                                     {"--top-p", "1.01"},
                                     {"--min-p", "2"},
                                     {"--seed", "x"},
                                     {"--threads", "0"},
                                     {"--threads", "9999"},
                                     {"--context", "0"},
                                     {"--prefill-chunk", "0"},
                                     {"--convert", "Q9"},
                                     {"--kernel-target", "mmx"},
                                     {"--unknown"},
                                     {"-n"},
                                     {"-p", ""},
                                     {"--stop", ""},
                                     {"--ids", "--stop", "x"}};
  for (auto const& options : wrong) {
    CAPTURE(text_of({static_cast<int>(options.size())}) + options[0]);
    auto const r = run(generate, base + options);
    CHECK(r.code == 2);
    CHECK(r.err.starts_with("generate: "));
    CHECK(r.out.empty());
  }
  CHECK(run(generate, {"-p", "x"}).code == 2);
  CHECK(run(logits, {"-m", path.string(), "--ids", "", "-o", "/dev/null"}).code == 2);
  auto const outside = run(logits, {"-m", path.string(), "--ids", "1 512", "-o", "/dev/null"});
  CHECK(outside.code == 1);
  CHECK(outside.err ==
        "logits: " + path.string() + ": forward: batch item 0, token 1 is 512, the vocabulary has 512\n");
  auto const absent = run(generate, {"-m", "no such file", "-p", "x"});
  CHECK(absent.code == 1);
  CHECK(absent.err.find("no such file") != std::string::npos);
  auto const too_long = run(generate, base + Arguments{"--context", "3", "-p", "Once upon a time"});
  CHECK(too_long.code == 1);
  CHECK(too_long.err.starts_with("generate: " + path.string() + ": the context of 3 tokens "));
  auto const filled = run(generate, base + Arguments{"--context", "7", "-p", "Once", "--ids", "--quiet"});
  CHECK(filled.code == 0);
  CHECK(filled.err == "(the text ends here: the context of 7 tokens is full)\n");
  CHECK(run(generate, base + Arguments{"-n", "1"}).err.find("decode:              no step (1 ") != std::string::npos);
  for (char const* mode : {"", " --ids"}) {
    auto const full = generate.string() + " -m " + path.string() + " -p x -n 5 --quiet" + mode + " >/dev/full";
    auto const lost = run("/bin/sh", {"-c", full});
    CHECK(lost.code == 1);
    CHECK(lost.err == "generate: cannot write to stdout\n");
  }
  // 64 stacks of 8 MiB do not fit: a thread that cannot start must not leave the others waiting.
  auto const few = "ulimit -v 200000; " + generate.string() + " -m " + path.string() + " -p x -n 3 --threads 64";
  CHECK(run("/bin/sh", {"-c", few}).code != 0);
  auto const help = run(generate, {"--help"});
  CHECK(help.code == 0);
  CHECK(help.out.find("--top-p P") != std::string::npos);
}

TEST_CASE("chat: one question from a file") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  LAMINA_REQUIRE_EXAMPLE(chat, "chat");
  auto const r = run(chat, Arguments{"-m", path.string(), "-n", "20"} + kChat, "Tell me\na story.\n");
  CHECK(r.code == 0);
  CHECK(r.out.size() > 5);
  CHECK(r.err.empty());
  auto const none = run(chat, {"-m", path.string()}, "Hello");
  CHECK(none.code == 1);
  CHECK(none.err.find("chat") != std::string::npos);
  CHECK(run(chat, {"-m", path.string(), "--chat-format", "telegram"}, "").code == 2);
  auto const too_long = run(chat, Arguments{"-m", path.string(), "--context", "20"} + kChat, std::string(500, 'x'));
  CHECK(too_long.code == 1);
  CHECK(too_long.err.find("the message is too long: ") != std::string::npos);
}

TEST_CASE("chat: commands, multi-line messages, history and its end") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  LAMINA_REQUIRE_EXAMPLE(chat, "chat");
  Arguments const arguments = Arguments{"-m", path.string(), "--interactive", "-n", "20"} + kChat;
  auto const r = run(chat, arguments,
                     "/help\nHello\\\nthere.\n/stats\n/reset\n/stats\n/nonsense\n\n\"\"\"\none\ntwo\n\"\"\"\n/stats\n");
  CHECK(r.code == 0);
  CHECK(r.err.find("/reset ") != std::string::npos);
  CHECK(r.err.find("2 messages") != std::string::npos);
  CHECK(r.err.find("0 messages, 0 of 512 tokens") != std::string::npos);
  CHECK(r.err.find("no command /nonsense") != std::string::npos);
  auto const quit = run(chat, arguments, "/quit\nHello\n");
  CHECK(quit.code == 0);
  CHECK(quit.out.empty());

  std::string many;
  for (int i = 0; i < 12; ++i) many += "Tell me more about the big red ball.\n";
  auto const full = run(chat, arguments + Arguments{"--context", "256"}, many);
  CHECK(full.code == 0);
  CHECK(full.err.find("messages were dropped") != std::string::npos);
  auto const long_message =
      run(chat, arguments + Arguments{"--context", "64"}, "Hi\n" + std::string(500, 'x') + "\n/stats\n");
  CHECK(long_message.code == 0);
  CHECK(long_message.err.find("too long") != std::string::npos);
  CHECK(long_message.err.find("2 messages") != std::string::npos);
}

TEST_CASE("chat: Ctrl-C stops the answer, then the program") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  LAMINA_REQUIRE_EXAMPLE(chat, "chat");
  // The reference kernels take about a second for this answer: time enough to interrupt it.
  Child child(chat, Arguments{"-m", path.string(), "--interactive", "--kernel-target", "reference"} + kChat);
  child.write("Hello\n");
  CHECK_FALSE(child.read_some().empty());
  child.interrupt();
  child.write("/stats\n");
  auto const r = child.finish();
  CHECK(r.code == 0);
  CHECK(r.err.find("(stopped)") != std::string::npos);
  CHECK(r.err.find("2 messages") != std::string::npos);

  Child idle(chat, Arguments{"-m", path.string(), "--interactive"} + kChat);
  idle.write("/stats\n");
  std::string errors;
  while (errors.find("messages") == std::string::npos) errors += idle.read_some_errors();  // loaded, at the prompt
  idle.interrupt();
  while (!idle.read_some().empty()) {}  // ends by itself
  CHECK(idle.finish().code == 0);
}

TEST_CASE("custom_loop and embed_in_app") {
  LAMINA_REQUIRE_SHARED(path, "stories260K.gguf");
  LAMINA_REQUIRE_EXAMPLE(custom_loop, "custom_loop");
  LAMINA_REQUIRE_EXAMPLE(embed_in_app, "embed_in_app");
  auto const loop = run(custom_loop, {"-m", path.string(), "--threads", "2"});
  CHECK(run(custom_loop, {"-m", path.string(), "-p", ""}).code == 2);
  CHECK(loop.code == 0);
  CHECK(loop.out.size() > 50);
  for (char const* threads : {"1", "4"}) {
    auto const app = run(embed_in_app, {"-m", path.string(), "--threads", threads});
    CHECK(app.code == 0);
    CHECK(app.err.empty());
    CHECK(app.out.find("[first] Once upon a time") != std::string::npos);
    CHECK(app.out.find("[first] ended by: maximum of tokens") != std::string::npos);
    CHECK(app.out.find("[second] ended by: cancelled") != std::string::npos);
  }
}
