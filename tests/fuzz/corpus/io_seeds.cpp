// Writes the seeds of gguf_fuzz and llama2c_fuzz: compile with -std=c++20 -Iinclude, run in this folder.
#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "lamina/io/gguf_writer.hpp"

namespace {

using namespace lamina;

void write_gguf_seeds() {
  std::vector<std::byte> const zeros(4096);
  std::span const bytes(zeros);

  GgufWriter().write("gguf_fuzz/empty.gguf");

  GgufWriter types(8);
  types.set("u8", std::uint8_t{1}).set("i8", std::int8_t{-1}).set("u16", std::uint16_t{2}).set("i16", std::int16_t{-2});
  types.set("u32", 3u).set("i32", -3).set("u64", std::uint64_t{4}).set("i64", std::int64_t{-4});
  types.set("f32", 0.5f).set("f64", 0.25).set("bool", true).set("text", "text");
  types.set("strings", std::array{"a", "bc"})
      .set("bools", std::vector{true, false})
      .set("floats", std::array{1.f, 2.f});
  types.set("nested", std::vector<std::vector<std::uint16_t>>{{1, 2}, {}});
  types.write("gguf_fuzz/types.gguf");

  GgufWriter tensors(8);
  for (FormatTraits const& f : kFormats) {
    tensors.add(std::string(f.name), f.format, {f.block, 2}, bytes.first(2 * f.block_bytes));
  }
  tensors.write("gguf_fuzz/tensors.gguf");

  GgufWriter packed(64);
  packed.add_packed("w", Format::kQ8_0, {32, 3},
                    [&](ByteSink sink) { sink(bytes.first(*packed_bytes(Format::kQ8_0, 3, 32))); });
  packed.add_packed("k", Format::kQ4_K, {256, 1},
                    [&](ByteSink sink) { sink(bytes.first(*packed_bytes(Format::kQ4_K, 1, 256))); });
  packed.write("gguf_fuzz/packed.gguf");

  GgufWriter model;
  model.set("general.architecture", "llama").set("llama.block_count", 1u);
  model.set("tokenizer.ggml.tokens", std::array{"<unk>", "<s>", "</s>", "a"});
  model.add("token_embd.weight", Format::kF32, {8, 4}, bytes.first(128));
  model.add("blk.0.attn_q.weight", Format::kQ8_0, {32, 1, 1, 2}, bytes.first(68));
  model.write("gguf_fuzz/model.gguf");
}

void write_llama2c_seed(char const* path, std::array<std::int32_t, 7> const& header, std::size_t n_weights) {
  std::vector<float> const weights(n_weights, 1.0f);
  std::ofstream out(path, std::ios::binary);
  auto const put = [&](std::span<std::byte const> bytes) {
    out.write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  };
  put(std::as_bytes(std::span(header)));
  put(std::as_bytes(std::span(weights)));
}

}  // namespace

int main() {
  write_gguf_seeds();
  // Embedding, layers, norm, tables, and the output projection where the vocabulary is negative.
  write_llama2c_seed("llama2c_fuzz/tied.bin", {4, 4, 2, 2, 1, 3, 2}, 12 + 2 * (8 + 32 + 16 + 48) + 4 + 4);
  write_llama2c_seed("llama2c_fuzz/untied.bin", {4, 2, 1, 1, 1, -3, 1}, 12 + (8 + 32 + 32 + 24) + 4 + 4 + 12);
}
