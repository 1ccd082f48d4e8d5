// The llama2.c reader: the shapes it cuts, the keys it gives, and files that are wrong.
#include "lamina/io/llama2c_reader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "file_fixtures.hpp"
#include "test_data.hpp"

using namespace lamina;
using lamina::test::Bytes;
using lamina::test::check_error;
using lamina::test::open_bytes;

namespace {

struct Shape {
  std::int32_t dim = 8, hidden = 12, layers = 2, heads = 4, kv_heads = 2, vocab = 5, context = 3;
};

// A checkpoint whose weight number i is float(i).
Bytes checkpoint(Shape const& s) {
  Bytes out;
  for (std::int32_t const v : {s.dim, s.hidden, s.layers, s.heads, s.kv_heads, s.vocab, s.context}) {
    detail::append_number(out, v);
  }
  auto const vocab = s.vocab < 0 ? -s.vocab : s.vocab;
  auto const kv_dim = s.dim / s.heads * s.kv_heads;
  auto const layer = 2 * s.dim + 2 * s.dim * s.dim + 2 * s.dim * kv_dim + 3 * s.dim * s.hidden;
  auto const n = vocab * s.dim * (s.vocab < 0 ? 2 : 1) + s.layers * layer + s.dim + s.context * (s.dim / s.heads);
  for (std::int32_t i = 0; i < n; ++i) detail::append_number(out, static_cast<float>(i));
  return out;
}

float first(TensorInfo const& tensor) { return detail::load<float>(tensor.bytes.data()); }

}  // namespace

TEST_CASE("tensors lie one family after the other") {
  Checkpoint const c = open_bytes(checkpoint({}), "m.bin");
  CHECK(c.tensors().size() == 2 + 2 * 9);
  CHECK(c.find("output.weight") == nullptr);
  struct Expected {
    char const* name;
    std::vector<std::uint64_t> dims;
    float first;
  };
  std::array<Expected, 13> const expected = {{
      {"token_embd.weight", {8, 5}, 0},
      {"blk.0.attn_norm.weight", {8}, 40},
      {"blk.1.attn_norm.weight", {8}, 48},
      {"blk.0.attn_q.weight", {8, 8}, 56},
      {"blk.1.attn_q.weight", {8, 8}, 120},
      {"blk.0.attn_k.weight", {8, 4}, 184},
      {"blk.1.attn_v.weight", {8, 4}, 280},
      {"blk.0.attn_output.weight", {8, 8}, 312},
      {"blk.1.ffn_norm.weight", {8}, 448},
      {"blk.0.ffn_gate.weight", {8, 12}, 456},
      {"blk.0.ffn_down.weight", {12, 8}, 648},
      {"blk.1.ffn_up.weight", {8, 12}, 936},
      {"output_norm.weight", {8}, 1032},
  }};
  for (Expected const& e : expected) {
    CAPTURE(e.name);
    CHECK(c.tensor(e.name).dims == e.dims);
    CHECK(c.tensor(e.name).format == Format::kF32);
    CHECK(first(c.tensor(e.name)) == e.first);
  }
}

TEST_CASE("a negative vocabulary size means an output projection of its own, after the tables") {
  Checkpoint const c = open_bytes(checkpoint({.vocab = -5}), "m.bin");
  CHECK(c.metadata().require<int>("llama.vocab_size") == 5);
  CHECK(c.tensor("output.weight").dims == std::vector<std::uint64_t>{8, 5});
  CHECK(first(c.tensor("output.weight")) == 1040 + 3 * 2);
}

TEST_CASE("the header appears under GGUF's keys") {
  Metadata const m = open_bytes(checkpoint({}), "m.bin").metadata();
  CHECK(m.require<std::string_view>("general.architecture") == "llama");
  CHECK(m.require<int>("llama.vocab_size") == 5);
  CHECK(m.require<int>("llama.context_length") == 3);
  CHECK(m.require<int>("llama.embedding_length") == 8);
  CHECK(m.require<int>("llama.block_count") == 2);
  CHECK(m.require<int>("llama.feed_forward_length") == 12);
  CHECK(m.require<int>("llama.attention.head_count") == 4);
  CHECK(m.require<int>("llama.attention.head_count_kv") == 2);
  CHECK(m.require<int>("llama.rope.dimension_count") == 2);
  CHECK(m.require<float>("llama.rope.freq_base") == 10000.0f);
  CHECK(m.require<float>("llama.attention.layer_norm_rms_epsilon") == 1e-5f);
  CHECK(m.source() == "m.bin");
}

TEST_CASE("the size must be exact: cut at any byte, or one byte more") {
  for (std::int32_t const vocab : {5, -5}) {
    Bytes bytes = checkpoint({.vocab = vocab});
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      CAPTURE(n);
      check_error([&] { open_bytes(std::span(bytes).first(n), "m.bin"); }, Errc::kCorrupt, {"m.bin: byte "});
    }
    bytes.emplace_back();
    check_error([&] { open_bytes(bytes, "m.bin"); }, Errc::kCorrupt, {"m.bin", "1 bytes more"});
  }
}

TEST_CASE("wrong headers") {
  auto const open = [](Shape const& shape) {
    Bytes bytes = checkpoint({});
    std::array const fields = {shape.dim,      shape.hidden, shape.layers, shape.heads,
                               shape.kv_heads, shape.vocab,  shape.context};
    std::ranges::copy(std::as_bytes(std::span(fields)), bytes.begin());
    open_bytes(bytes, "m.bin");
  };
  constexpr std::int32_t kMax = 0x7fffffff;
  constexpr std::int32_t kMin = -kMax - 1;
  check_error([&] { open({.dim = 0}); }, Errc::kCorrupt, {"m.bin", "dim is 0", "not GGUF"});
  check_error([&] { open({.hidden = -1}); }, Errc::kCorrupt, {"hidden_dim is -1"});
  check_error([&] { open({.layers = kMin}); }, Errc::kCorrupt, {"n_layers is -2147483648"});
  check_error([&] { open({.vocab = 0}); }, Errc::kCorrupt, {"vocab_size is 0"});
  check_error([&] { open({.heads = 3}); }, Errc::kCorrupt, {"do not divide"});
  check_error([&] { open({.kv_heads = 3}); }, Errc::kCorrupt, {"do not divide"});
  check_error([&] { open({.heads = 8, .kv_heads = 8}); }, Errc::kCorrupt, {"even size"});
  check_error([&] { open({.vocab = kMax}); }, Errc::kCorrupt, {"token_embd.weight", "are left"});
  check_error([&] { open({.vocab = kMin}); }, Errc::kCorrupt, {"token_embd.weight", "are left"});
  check_error([&] { open({.layers = kMax}); }, Errc::kCorrupt, {"attn_norm.weight", "are left"});
  check_error([&] { open({.hidden = kMax}); }, Errc::kCorrupt, {"ffn_gate.weight", "are left"});
  check_error([&] { open({.context = kMax}); }, Errc::kCorrupt, {"freq_cis_real", "are left"});
  check_error([&] { open({.dim = 0x40000000, .layers = kMax, .vocab = 1}); }, Errc::kCorrupt, {"are left"});
}

TEST_CASE("sizes past 2^64 are an error, not a small number") {
  Bytes bytes;
  for (std::uint64_t const v : {0x40000000u, 0x7ffffffeu}) detail::append_number(bytes, v);
  detail::ByteReader reader(bytes, "m.bin");
  detail::Llama2cCutter cut(reader);
  std::uint64_t const big = std::uint64_t{1} << 31;
  check_error([&] { cut.layers(big, "attn_q.weight", {big, big}); }, Errc::kCorrupt, {"attn_q.weight", "overflow"});
}

TEST_CASE("stories260K has the same bytes, keys and shapes in both formats") {
  LAMINA_REQUIRE_SHARED(bin, "stories260K.bin");
  LAMINA_REQUIRE_SHARED(gguf, "stories260K.gguf");
  Checkpoint const a = Checkpoint::open(bin);
  Checkpoint const b = Checkpoint::open(gguf);
  CHECK(a.tensors().size() == b.tensors().size());
  for (TensorInfo const& tensor : b.tensors()) {
    CAPTURE(tensor.name);
    TensorInfo const& other = a.tensor(tensor.name);
    CHECK(other.dims == tensor.dims);
    CHECK(other.format == tensor.format);
    CHECK(std::ranges::equal(other.bytes, tensor.bytes));
  }
  for (MetadataEntry const& entry : b.metadata().entries()) {
    CAPTURE(entry.key);
    if (entry.key == "general.name" || entry.key.starts_with("tokenizer.")) continue;
    auto const& entries = a.metadata().entries();
    auto const same = std::ranges::find(entries, entry.key, &MetadataEntry::key);
    REQUIRE(same != entries.end());
    CHECK(same->type == entry.type);
    CHECK(std::ranges::equal(same->encoded, entry.encoded));
  }
}
