// synthesize SHAPE FORMAT FILE [--seed S]: writes a random model, for benchmarks and demonstrations. See
// random_model.hpp.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/random_model.hpp"

namespace {

constexpr char kUsage[] =
    "usage: synthesize SHAPE FORMAT FILE [--seed S]\n"
    "Writes a GGUF model with random weights.\n"
    "  SHAPE   tiny, 1b (Llama 3.2 1B) or 8b (Llama 3 8B)\n"
    "  FORMAT  F32, F16, BF16, Q8_0 or Q4_0\n"
    "  S       a number; equal seeds give equal files (default 1)\n";

struct Arguments {
  std::vector<std::string> positional;
  std::uint64_t seed = 1;
};

Arguments parse(std::span<char*> words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view const word = words[i];
    if (word == "--seed" && i + 1 < words.size()) {
      std::string_view const value = words[++i];
      auto const [end, error] = std::from_chars(value.begin(), value.end(), arguments.seed);
      if (error != std::errc() || end != value.end()) {
        lamina::fail(lamina::Errc::kInvalidArgument, "--seed: '", value, "' is not a number");
      }
    } else if (word.starts_with("--")) {
      lamina::fail(lamina::Errc::kInvalidArgument, "option '", word, "' is unknown or lacks its value");
    } else {
      arguments.positional.emplace_back(word);
    }
  }
  if (arguments.positional.size() != 3) {
    lamina::fail(lamina::Errc::kInvalidArgument, "expected SHAPE, FORMAT and FILE");
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Arguments const arguments = parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
    std::filesystem::path const path = arguments.positional[2];
    lamina::bench::write_random_model(lamina::bench::shape_named(arguments.positional[0]),
                                      lamina::format_named(arguments.positional[1]), path, arguments.seed);
    std::fprintf(stderr, "%s: %.3f GB of random weights\n", path.c_str(),
                 static_cast<double>(std::filesystem::file_size(path)) / 1e9);
    return 0;
  } catch (lamina::Error const& error) {
    bool const is_usage = error.code() == lamina::Errc::kInvalidArgument;
    std::fprintf(stderr, "synthesize: %s\n%s", error.what(), is_usage ? kUsage : "");
    return is_usage ? 2 : 1;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "synthesize: %s\n", error.what());
    return 1;
  }
}
