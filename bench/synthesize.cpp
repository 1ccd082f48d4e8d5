// synthesize SHAPE FORMAT FILE [--seed S]: writes a random model, for benchmarks. See random_model.hpp.
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string_view>

#include "bench/program.hpp"
#include "bench/random_model.hpp"

namespace {

constexpr char kUsage[] =
    "usage: synthesize SHAPE FORMAT FILE [--seed S]\n"
    "Writes a GGUF model with random weights.\n"
    "  SHAPE   tiny, 1b (Llama 3.2 1B) or 8b (Llama 3 8B)\n"
    "  FORMAT  F32, F16, BF16, Q8_0, Q6_K, Q4_K or Q4_0\n"
    "  S       a number; equal seeds give equal files (default 1)\n";

constexpr std::array<std::string_view, 1> kOptions{"--seed"};

void synthesize(lamina::bench::Arguments const& arguments) {
  auto const words = arguments.positional();
  if (words.size() != 3) lamina::fail(lamina::Errc::kInvalidArgument, "expected SHAPE, FORMAT and FILE");
  std::filesystem::path const path = words[2];
  lamina::bench::write_random_model(lamina::bench::shape_named(words[0]), lamina::format_named(words[1]), path,
                                    arguments.number<std::uint64_t>("--seed", 1));
  std::fprintf(stderr, "%s: %.3f GB of random weights\n", path.c_str(),
               static_cast<double>(std::filesystem::file_size(path)) / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  return lamina::bench::run_program(std::span(argv, static_cast<std::size_t>(argc)), kUsage, kOptions, synthesize);
}
