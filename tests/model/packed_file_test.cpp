// Packed files: a model on panels that lie in the file gives the bits of the one that packs at load.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/file_fixtures.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/io/checkpoint.hpp"
#include "lamina/io/gguf_writer.hpp"
#include "lamina/model/any_model.hpp"
#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"
#include "lamina/quant/packed_matrix.hpp"
#include "model/random_model.hpp"

using namespace lamina;
using namespace lamina::test;

namespace {

/// The model with its matrices as panels of their own format.
void write_packed(Checkpoint const& from, std::filesystem::path const& to) {
  GgufWriter writer(64);
  writer.set_all(from.metadata());
  for (TensorInfo const& t : from.tensors()) {
    if (t.dims.size() != 2) {
      writer.add(t.name, t.format, t.dims, t.bytes);
      continue;
    }
    writer.add_packed(t.name, t.format, t.dims, [&t](ByteSink sink) {
      Serial serial;
      auto const packed = pack_matrix(t.format, t.bytes, t.dims[1], t.dims[0], t.format, serial);
      sink({packed.view().data, packed.view().bytes()});
    });
  }
  writer.write(to);
}

Bits logits_of(Model<Llama> const& model, std::vector<Token> const& tokens) {
  Session session(model, {.capacity = tokens.size() + 1});
  Bits bits = bits_of(session.prefill(tokens));
  Bits const next = bits_of(session.step(tokens[0]));
  bits.insert(bits.end(), next.begin(), next.end());
  return bits;
}

}  // namespace

TEST_CASE("every format, from a file that is closed and gone") {
  auto const tokens = random_tokens(40, RandomModel{}.n_vocab);
  for (FormatTraits const& t : kFormats) {
    CAPTURE(t.name);
    for (bool const tied : {false, true}) {
      auto const stored = random_checkpoint(wide_enough({.format = t.format, .tied = tied}, t.format));
      std::optional<Model<Llama>> model;
      {
        TemporaryFolder const folder;
        write_packed(stored, folder.file("packed.gguf"));
        auto const packed = Checkpoint::open(folder.file("packed.gguf"));
        CHECK(packed.tensor("token_embd.weight").packed);
        CHECK(!packed.tensor("output_norm.weight").packed);
        model = Model<Llama>::load(packed, {.threads = 2});
      }
      CHECK(logits_of(*model, tokens) == logits_of(Model<Llama>::load(stored), tokens));
    }
  }
}

TEST_CASE("with Numerics::Fast, F16 rounded to BF16 at load gives the bits of F16 that stays in the file") {
  TemporaryFolder const folder;
  auto const stored = random_checkpoint({.format = Format::kF16, .tied = false});
  write_packed(stored, folder.file("packed.gguf"));
  auto const tokens = random_tokens(40, RandomModel{}.n_vocab);
  auto const load = [](Checkpoint const& checkpoint) {
    return Model<Llama>::load(checkpoint, {.numerics = Numerics::Fast});
  };
  auto const in_file = load(Checkpoint::open(folder.file("packed.gguf")));
  CHECK(logits_of(load(stored), tokens) == logits_of(in_file, tokens));
}

TEST_CASE("bytes in memory live as long as the model, and must begin on 64 bytes") {
  TemporaryFolder const folder;
  auto const stored = random_checkpoint({.format = Format::kQ4_0});
  write_packed(stored, folder.file("packed.gguf"));
  Bytes const file = read_file(folder.file("packed.gguf"));
  auto const owner = std::make_shared<AlignedBuffer<std::byte>>(file.size() + 8);
  std::optional<Model<Llama>> model;
  auto const at = [&](std::size_t offset) {
    std::ranges::copy(file, owner->data() + offset);
    return Checkpoint::from_bytes(owner, std::span(owner->data() + offset, file.size()), "memory");
  };
  check_error([&] { at(8); }, Errc::kInvalidArgument, {"memory", "boundary of 64 bytes in memory"});
  auto const uses = owner.use_count();
  model = Model<Llama>::load(at(0));
  CHECK(owner.use_count() > uses);
  auto const tokens = random_tokens(10, RandomModel{}.n_vocab);
  CHECK(logits_of(*model, tokens) == logits_of(Model<Llama>::load(stored), tokens));
  model.reset();
  CHECK(owner.use_count() == uses);
}

TEST_CASE("a packed matrix of another shape, and one where a vector belongs") {
  TemporaryFolder const folder;
  auto const open = [&](std::string const& name, std::uint64_t cols) {
    auto const from = random_checkpoint({.format = Format::kQ8_0});
    GgufWriter writer(64);
    writer.set_all(from.metadata());
    for (TensorInfo const& t : from.tensors()) {
      if (t.name == name) {
        std::vector<std::byte> const panels(*packed_bytes(Format::kQ8_0, 16, cols));
        writer.add_packed(t.name, Format::kQ8_0, {cols, 16}, [panels](ByteSink sink) { sink(panels); });
      } else {
        writer.add(t.name, t.format, t.dims, t.bytes);
      }
    }
    writer.write(folder.file("bad.gguf"));
    return Checkpoint::open(folder.file("bad.gguf"));
  };
  for (std::string const name : {"blk.0.attn_q.weight", "output_norm.weight"}) {
    check_error([&] { Model<Llama>::load(open(name, 32)); }, Errc::kShape, {"bad.gguf", name, "[32, 16]"});
  }
}

TEST_CASE("what is packed is not converted") {
  TemporaryFolder const folder;
  write_packed(random_checkpoint({.format = Format::kQ8_0}), folder.file("packed.gguf"));
  auto const packed = Checkpoint::open(folder.file("packed.gguf"));
  CHECK_NOTHROW(AnyModel::load(packed, {.convert = Format::kQ8_0}));
  check_error([&] { AnyModel::load(packed, {.convert = Format::kQ4_0}); }, Errc::kUnsupported,
              {"packed.gguf", "'token_embd.weight'", "packed as Q8_0", "Q4_0"});
}

TEST_CASE("the writer says what cannot be packed") {
  auto const nothing = [](ByteSink) {};
  check_error([&] { GgufWriter(32).add_packed("w", Format::kQ8_0, {32, 3}, nothing); }, Errc::kInvalidArgument,
              {"'w'", "alignment of 64", "32"});
  check_error([&] { GgufWriter(64).add_packed("w", Format::kQ8_0, {32}, nothing); }, Errc::kInvalidArgument,
              {"'w'", "[32]", "2 dimensions"});
  check_error([&] { GgufWriter(64).add_packed("w", Format::kQ8_0, {33, 2}, nothing); }, Errc::kInvalidArgument,
              {"'w'", "whole blocks of Q8_0"});
  GgufWriter writer(64);
  writer.add_packed("w", Format::kQ8_0, {32, 3}, nothing);
  TemporaryFolder const folder;
  check_error([&] { writer.write(folder.file("x.gguf")); }, Errc::kShape, {"'w'", "gave 0 bytes", "544"});
}
