// Loading: what a checkpoint must hold, and the errors that name what it lacks.
#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/model/any_model.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "model/random_model.hpp"

using namespace lamina;
using namespace lamina::test;

namespace {

template <class T>
Edit with(std::string key, T value) {
  return [key = std::move(key), value](GgufWriter& writer) { writer.set(key, value); };
}

Error load_error(Edit const& edit, RandomModel const& m = {}) {
  auto const checkpoint = random_checkpoint(m, edit);
  return error_of([&] { Model<Llama>::load(checkpoint); });
}

Error load_error(Rename const& rename, RandomModel const& m = {}) {
  auto const checkpoint = random_checkpoint(m, {}, rename);
  return error_of([&] { Model<Llama>::load(checkpoint); });
}

Rename without(std::string_view gone) {
  return [gone](std::string name) { return std::string_view(name) == gone ? "unused." + name : name; };
}

}  // namespace

TEST_CASE("the configuration is what the metadata says") {
  auto const c = read_config(random_checkpoint({}), "llama", Llama::tensors);
  CHECK(c.architecture == "llama");
  CHECK(c.n_vocab == 107);
  CHECK(c.n_layers == 2);
  CHECK(c.dim == 64);
  CHECK(c.n_heads == 4);
  CHECK(c.n_kv_heads == 2);
  CHECK(c.head_dim == 16);
  CHECK(c.rope_dim == 16);
  CHECK(c.ffn_dim == 160);
  CHECK(c.n_ctx_train == 256);
  CHECK(c.norm_eps == 1e-5F);
  CHECK(c.rope_base == 10000.0);
  CHECK(c.rope_scaling.kind == RopeScalingKind::kNone);
  CHECK(c.kv_shape() == KvShape{2, 2, 16});
}

TEST_CASE("RoPE scaling is read from either set of keys") {
  auto const scaling = [](Edit const& edit) {
    return read_config(random_checkpoint({}, edit), "llama", Llama::tensors).rope_scaling;
  };
  auto const linear =
      scaling([](GgufWriter& w) { w.set("llama.rope.scaling.type", "linear").set("llama.rope.scaling.factor", 4.0F); });
  CHECK(linear.kind == RopeScalingKind::kLinear);
  CHECK(linear.factor == 4.0);
  auto const older = scaling(with("llama.rope.scale_linear", 2.0F));
  CHECK(older.kind == RopeScalingKind::kLinear);
  CHECK(older.factor == 2.0);
  CHECK(scaling(with("llama.rope.scaling.type", "none")).kind == RopeScalingKind::kNone);
  auto const llama3 = scaling([](GgufWriter& w) {
    w.set("llama.rope.scaling.type", "llama3")
        .set("llama.rope.scaling.factor", 8.0F)
        .set("llama.rope.scaling.low_freq_factor", 1.0F)
        .set("llama.rope.scaling.high_freq_factor", 4.0F)
        .set("llama.rope.scaling.original_context_length", std::uint32_t{8192});
  });
  CHECK(llama3.kind == RopeScalingKind::kLlama3);
  CHECK(llama3.factor == 8.0);
  CHECK(llama3.original_context == 8192.0);
}

TEST_CASE("the frequencies follow the scaling, and a tensor of divisors replaces llama3's formula") {
  KernelTable const& kernels = reference_kernels();
  auto const plain = rope_frequencies(kernels, 10000.0, 16, {}, {});
  REQUIRE(plain.size() == 8);
  CHECK(plain[0] == doctest::Approx(1.0));
  CHECK(plain[4] == doctest::Approx(0.01));
  auto const linear = rope_frequencies(kernels, 10000.0, 16, {.kind = RopeScalingKind::kLinear, .factor = 4.0}, {});
  for (std::size_t i = 0; i < 8; ++i) CHECK(linear[i] == plain[i] / 4.0);
  RopeScaling const llama3{.kind = RopeScalingKind::kLlama3, .factor = 8.0};
  auto const scaled = rope_frequencies(kernels, 500000.0, 64, llama3, {});
  auto const unscaled = rope_frequencies(kernels, 500000.0, 64, {}, {});
  CHECK(scaled.front() == unscaled.front());      // short wavelengths are kept
  CHECK(scaled.back() == unscaled.back() / 8.0);  // long ones are divided
  std::vector<float> const divisors(32, 2.0F);
  auto const divided = rope_frequencies(kernels, 500000.0, 64, llama3, divisors);
  for (std::size_t i = 0; i < 32; ++i) CHECK(divided[i] == unscaled[i] / 2.0);
}

TEST_CASE("bad configurations are errors that name file and key") {
  struct Case {
    Edit edit;
    Errc code;
    char const* says;
  };
  std::vector<std::string> const few_tokens(5, "x");
  Case const cases[] = {
      {with("general.architecture", "mamba"), Errc::kUnsupported, "mamba"},
      {with("llama.block_count", std::uint32_t{0}), Errc::kShape, "llama.block_count"},
      {with("llama.block_count", std::uint32_t{3}), Errc::kMissing, "blk.2.attn_norm.weight"},
      {with("llama.block_count", std::uint32_t{0xffffffff}), Errc::kShape, "llama.block_count"},
      {with("llama.block_count", "two"), Errc::kCorrupt, "llama.block_count"},
      {with("llama.embedding_length", std::uint32_t{128}), Errc::kShape, "token_embd.weight"},
      {with("llama.embedding_length", std::int32_t{-64}), Errc::kCorrupt, "llama.embedding_length"},
      {with("llama.feed_forward_length", std::uint32_t{32}), Errc::kShape, "ffn_gate"},
      {with("llama.attention.head_count", std::uint32_t{0}), Errc::kShape, "llama.attention.head_count"},
      {with("llama.attention.head_count", std::uint32_t{5}), Errc::kShape, "llama.attention.head_count"},
      {with("llama.attention.head_count_kv", std::uint32_t{3}), Errc::kShape, "llama.attention.head_count_kv"},
      {with("llama.attention.head_count_kv", std::uint32_t{4}), Errc::kShape, "attn_k"},
      {with("llama.attention.key_length", std::uint32_t{8}), Errc::kShape, "attn_q"},
      {with("llama.attention.value_length", std::uint32_t{8}), Errc::kShape, "llama.attention.value_length"},
      {with("llama.attention.layer_norm_rms_epsilon", -1.0F), Errc::kShape, "layer_norm_rms_epsilon"},
      {with("llama.context_length", std::uint64_t{1} << 40), Errc::kShape, "llama.context_length"},
      {with("llama.expert_count", std::uint32_t{8}), Errc::kUnsupported, "llama.expert_count"},
      {with("llama.rope.dimension_count", std::uint32_t{18}), Errc::kShape, "llama.rope.dimension_count"},
      {with("llama.rope.dimension_count", std::uint32_t{7}), Errc::kShape, "llama.rope.dimension_count"},
      {with("llama.rope.freq_base", std::numeric_limits<float>::infinity()), Errc::kShape, "llama.rope.freq_base"},
      {with("llama.rope.freq_base", std::numeric_limits<float>::quiet_NaN()), Errc::kShape, "llama.rope.freq_base"},
      {with("llama.rope.scaling.type", "yarn"), Errc::kUnsupported, "yarn"},
      {with("llama.rope.scale_linear", 0.0F), Errc::kShape, "llama.rope.scale_linear"},
      {with("llama.vocab_size", std::uint32_t{108}), Errc::kShape, "llama.vocab_size"},
      {with("tokenizer.ggml.tokens", few_tokens), Errc::kShape, "tokenizer.ggml.tokens"},
  };
  for (Case const& c : cases) {
    Error const error = load_error(c.edit);
    CAPTURE(error.what());
    CHECK(error.code() == c.code);
    CHECK(says(error, c.says));
    CHECK(says(error, "random.gguf"));
  }
}

TEST_CASE("missing and misshapen tensors are errors that name file and tensor") {
  for (char const* name : {"token_embd.weight", "blk.1.attn_v.weight", "blk.0.ffn_norm.weight", "output_norm.weight"}) {
    Error const error = load_error(without(name));
    CHECK(error.code() == Errc::kMissing);
    CHECK(says(error, name));
    CHECK(says(error, "random.gguf"));
  }
  auto const add = [](std::string name, std::uint64_t rows, float value) {
    return [=, file = std::make_shared<ModelFile>()](GgufWriter& writer) {
      std::vector<float> const values(rows, value);
      auto const bytes = std::as_bytes(std::span(values));
      file->data.emplace_back(bytes.begin(), bytes.end());
      writer.add(name, Format::kF32, {rows}, file->data.back());
    };
  };
  Error const shape = load_error(Edit(add("rope_freqs.weight", 7, 1.0F)));
  CHECK(shape.code() == Errc::kShape);
  CHECK(says(shape, "rope_freqs.weight"));
  Error const zero = load_error(Edit(add("rope_freqs.weight", 8, 0.0F)));
  CHECK(zero.code() == Errc::kCorrupt);
  CHECK(says(zero, "rope_freqs.weight"));
  Error const output = load_error(Edit(add("output.weight", 64, 0.0F)));
  CHECK(output.code() == Errc::kShape);
  CHECK(says(output, "output.weight"));
}

TEST_CASE("all matrices lie in one block of memory, whatever they are converted to") {
  Serial serial;
  for (std::optional<Format> const convert : {std::optional<Format>(), std::optional(Format::kQ4_0)}) {
    for (bool const tied : {true, false}) {
      auto const checkpoint = random_checkpoint({.format = Format::kQ8_0, .tied = tied});
      auto const config = read_config(checkpoint, "llama", Llama::tensors);
      Cpu<Serial> backend(serial);
      auto const choose = [&](Format stored, std::size_t, std::size_t) { return convert.value_or(stored); };
      auto const w = load_weights<Llama>(checkpoint, config, backend, choose, {});
      CHECK(w.storage.room() == 0);
      std::size_t bytes = w.embedding.view().bytes() + (tied ? 0 : w.output().view().bytes());
      for (auto const& layer : w.layers) {
        for (auto const* m : {&layer.q, &layer.k, &layer.v, &layer.attn_output, &layer.gate, &layer.up, &layer.down}) {
          bytes += Arena::bytes_for<std::byte>(m->view().bytes());
        }
      }
      CHECK(w.storage.used() == bytes);
    }
  }
}

TEST_CASE("memory is taken for the matrices that the model has, not for others in the file") {
  Serial serial;
  std::vector<float> const unused(1'000'000);
  auto const checkpoint = random_checkpoint({}, [&](GgufWriter& writer) {
    writer.add("unused.weight", Format::kF32, {1, unused.size()}, std::as_bytes(std::span(unused)));
    writer.add("blk.2.attn_q.weight", Format::kF32, {1, unused.size()}, std::as_bytes(std::span(unused)));
  });
  std::size_t asked = 0;
  auto const choose = [&](Format stored, std::size_t rows, std::size_t) {
    CHECK(rows != unused.size());
    ++asked;
    return stored;
  };
  Cpu<Serial> backend(serial);
  auto const w = load_weights<Llama>(checkpoint, read_config(checkpoint, "llama", Llama::tensors), backend, choose, {});
  CHECK(asked > 0);
  CHECK(w.storage.room() == 0);
  CHECK(w.storage.capacity() < unused.size());
}

TEST_CASE("no memory for the matrices is an Error that names the file") {
  struct Full : Cpu<Serial> {
    using Cpu<Serial>::Cpu;
    [[nodiscard]] Storage storage_for(std::span<MatrixShape const> /*shapes*/) const { throw std::bad_alloc(); }
  };
  Serial serial;
  Full backend(serial);
  auto const checkpoint = random_checkpoint({.tied = false});
  auto const config = read_config(checkpoint, "llama", Llama::tensors);
  auto const choose = [](Format stored, std::size_t, std::size_t) { return stored; };
  Error const error = error_of([&] { load_weights<Llama>(checkpoint, config, backend, choose, {}); });
  CHECK(error.code() == Errc::kInvalidArgument);
  CHECK(says(error, "random.gguf"));
  CHECK(says(error, "16 matrices"));
}

TEST_CASE("what a kernel table wants products in is what memory is taken for") {
  Serial serial;
  KernelTable fast = reference_kernels();
  fast.target = Target::kAvx3Bf16;  // whose products want F16 as BF16; nothing is computed here
  auto const checkpoint = random_checkpoint({.format = Format::kF16});
  Cpu<Serial> backend(std::shared_ptr<Serial>(std::shared_ptr<void>(), &serial), fast);
  auto const choose = [](Format stored, std::size_t, std::size_t) { return stored; };
  auto const w = load_weights<Llama>(checkpoint, read_config(checkpoint, "llama", Llama::tensors), backend, choose, {});
  CHECK(w.layers[0].q.view().format == Format::kBF16);
  CHECK(w.embedding.view().format == Format::kF16);
  CHECK(w.storage.room() == 0);
}

TEST_CASE("progress counts every weight once, and may end the load") {
  auto const checkpoint = random_checkpoint({.format = Format::kQ8_0, .tied = false});
  std::size_t last = 0;
  std::size_t total = 0;
  Model<Llama>::load(checkpoint, {.progress = [&](std::size_t done, std::size_t all) {
                       CHECK(done > last);
                       last = done;
                       total = all;
                     }});
  CHECK(last == total);
  CHECK(total == 2 * 107 * 64 + 64 + 2 * (2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 160 * 64));
  CHECK(error_of([&] {
          Model<Llama>::load(checkpoint,
                             {.progress = [](std::size_t, std::size_t) { fail(Errc::kCancelled, "stop"); }});
        }).code() == Errc::kCancelled);
}

TEST_CASE("options are checked") {
  auto const checkpoint = random_checkpoint({});
  CHECK(error_of([&] { Model<Llama>::load(checkpoint, {.threads = 0}); }).code() == Errc::kInvalidArgument);
  CHECK(error_of([&] { Model<Llama>::load(checkpoint, {.threads = 100000}); }).code() == Errc::kInvalidArgument);
  CHECK(error_of([&] { Model<Llama, quant::F16>::load(checkpoint, {.convert = Format::kF32}); }).code() ==
        Errc::kInvalidArgument);
}

TEST_CASE("any model: the architecture decides, unknown ones are named") {
  auto const any = AnyModel::load(random_checkpoint({}), {.convert = Format::kQ4_0});
  CHECK(any.config().architecture == "llama");
  auto const bytes = any.visit([](auto const& model) { return model.bytes_per_token(); });
  // 18 bytes a block of 32 in panels of 16 rows; the tied output's 107 rows fill 7 panels.
  CHECK(bytes == (2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 160 * 64) + 112 * 64) / 32 * 18);
  Error const error = error_of([&] { AnyModel::load(random_checkpoint({.architecture = "gpt-j"})); });
  CHECK(error.code() == Errc::kUnsupported);
  CHECK(says(error, "gpt-j"));
  CHECK(says(error, "llama"));
}
