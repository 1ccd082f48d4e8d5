// Sessions: prefill, step, truncate, fork, save, load.
#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"
#include "model/random_model.hpp"

using namespace lamina;
using namespace lamina::test;

namespace {

using Cache = ContiguousCache<KvElement::kF16>;

struct Fixture {
  Model<Llama> model = Model<Llama>::load(random_checkpoint({.format = Format::kQ8_0}));
  std::vector<Token> tokens = random_tokens(50, 107);

  /// Logits after the first n tokens, computed afresh.
  [[nodiscard]] Bits after(std::size_t n) const {
    Session session(model, {.capacity = 64});
    return bits_of(session.prefill(std::span(tokens).first(n)));
  }
};

std::string read(std::filesystem::path const& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(std::filesystem::path const& path, std::string const& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "prefill and step keep account of the tokens") {
  Session session(model, {.capacity = 64, .prefill_chunk = 7});
  CHECK(session.length() == 0);
  CHECK(session.logits().empty());
  CHECK(session.capacity() == 64);
  CHECK(bits_of(session.prefill(std::span(tokens).first(40))) == after(40));
  CHECK(session.length() == 40);
  CHECK(bits_of(session.step(tokens[40])) == after(41));
  CHECK(std::vector(session.tokens().begin(), session.tokens().end()) ==
        std::vector(tokens.begin(), tokens.begin() + 41));
  CHECK(bits_of(session.logits()) == after(41));
  session.truncate(30);
  CHECK(session.length() == 30);
  CHECK(session.logits().empty());
  CHECK(bits_of(session.step(tokens[30])) == after(31));
}

TEST_CASE_FIXTURE(Fixture, "a refused prefill leaves the session as it was, also after its first chunks") {
  Session session(model, {.capacity = 64, .prefill_chunk = 4});
  session.prefill(std::span(tokens).first(10));
  auto bad = tokens;
  bad[20] = 1000;
  CHECK(error_of([&] { session.prefill(std::span(bad).subspan(10)); }).code() == Errc::kTokenOutOfRange);
  CHECK(session.length() == 10);
  CHECK(session.cache().length(session.sequence()) == 10);
  CHECK(error_of([&] { session.prefill({}); }).code() == Errc::kInvalidArgument);
  std::vector<Token> const many(55, 1);
  CHECK(error_of([&] { session.prefill(many); }).code() == Errc::kContextFull);
  CHECK(error_of([&] { session.truncate(11); }).code() == Errc::kInvalidArgument);
  CHECK(bits_of(session.prefill(std::span(tokens).subspan(10, 5))) == after(15));
}

TEST_CASE_FIXTURE(Fixture, "a fork goes its own way") {
  Session session(model, {.capacity = 64});
  session.prefill(std::span(tokens).first(33));
  auto fork = session.fork();
  CHECK(fork.length() == 33);
  session.step(5);
  CHECK(bits_of(fork.step(tokens[33])) == after(34));
  fork = fork.fork();
  CHECK(bits_of(fork.step(tokens[34])) == after(35));
  CHECK(session.length() == 34);
}

TEST_CASE_FIXTURE(Fixture, "sessions share a cache, and give their place back") {
  auto const cache = std::make_shared<Cache>(model.kv_shape(), CacheOptions{.capacity = 64, .max_sequences = 2});
  Session<Model<Llama>, Cache> first(model, cache);
  first.prefill(std::span(tokens).first(20));
  {
    auto const second = first.fork();
    CHECK(&second.cache() == cache.get());
    CHECK(error_of([&] { static_cast<void>(first.fork()); }).code() == Errc::kContextFull);
  }
  auto second = first.fork();
  CHECK(bits_of(second.step(tokens[20])) == after(21));
  CHECK(bits_of(first.step(tokens[20])) == after(21));
}

TEST_CASE_FIXTURE(Fixture, "a saved session goes on with the same bits; bad files are errors") {
  std::string folder = (std::filesystem::temp_directory_path() / "lamina_session_XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  auto const path = std::filesystem::path(folder) / "session.bin";
  using Saved = Session<Model<Llama>, Cache>;
  Saved session(model, {.capacity = 64});
  session.prefill(std::span(tokens).first(45));
  session.save(path);
  auto loaded = Saved::load(path, model, {.capacity = 128});
  CHECK(loaded.length() == 45);
  CHECK(bits_of(loaded.step(tokens[45])) == after(46));

  auto const load_code = [&] { return error_of([&] { Saved::load(path, model, {.capacity = 64}); }).code(); };
  std::string const good = read(path);
  for (std::size_t n = 0; n < good.size(); n += n < 300 ? 1 : 997) {
    write(path, good.substr(0, n));
    CHECK(load_code() == Errc::kCorrupt);
  }
  write(path, good + "x");
  CHECK(load_code() == Errc::kCorrupt);
  auto const patched = [&](std::size_t at, std::uint64_t value, std::size_t size) {
    std::string bytes = good;
    std::memcpy(bytes.data() + at, &value, size);
    write(path, bytes);
    return load_code();
  };
  CHECK(patched(0, 0, 1) == Errc::kCorrupt);        // magic
  CHECK(patched(8, 2, 4) == Errc::kUnsupported);    // version
  CHECK(patched(12, 0, 4) == Errc::kShape);         // element
  CHECK(patched(16, 108, 8) == Errc::kShape);       // n_vocab
  CHECK(patched(24, 1, 8) == Errc::kShape);         // n_layers
  CHECK(patched(56, 65, 8) == Errc::kContextFull);  // n_tokens
  CHECK(patched(56, std::numeric_limits<std::uint64_t>::max(), 8) == Errc::kContextFull);
  CHECK(patched(56, 44, 8) == Errc::kCorrupt);
  CHECK(patched(64, 107, 4) == Errc::kCorrupt);  // the first token
  write(path, good);
  using F32 = Session<Model<Llama>, ContiguousCache<KvElement::kF32>>;
  CHECK(error_of([&] { F32::load(path, model); }).code() == Errc::kShape);
  std::filesystem::remove_all(folder);
  CHECK(load_code() == Errc::kIo);
  CHECK(error_of([&] { session.save(path); }).code() == Errc::kIo);
}

TEST_CASE_FIXTURE(Fixture, "a capacity within a block is filled, forked and saved to its end, and no further") {
  std::string folder = (std::filesystem::temp_directory_path() / "lamina_session_XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  auto const path = std::filesystem::path(folder) / "session.bin";
  using Saved = Session<Model<Llama>, Cache>;
  Saved session(model, {.capacity = 40, .max_logits = 2});
  CHECK(session.capacity() == 40);
  CHECK(error_of([&] { session.prefill(std::span(tokens).first(41)); }).code() == Errc::kContextFull);
  CHECK(bits_of(session.prefill(std::span(tokens).first(40))) == after(40));
  CHECK(error_of([&] { session.step(tokens[40]); }).code() == Errc::kContextFull);
  CHECK(error_of([&] { session.evaluate(std::span(tokens).subspan(40, 1)); }).code() == Errc::kContextFull);
  session.save(path);
  CHECK(error_of([&] { Saved::load(path, model, {.capacity = 39}); }).code() == Errc::kContextFull);
  for (bool const forked : {false, true}) {
    Saved copy = forked ? session.fork() : Saved::load(path, model, {.capacity = 40});
    CHECK(copy.length() == 40);
    copy.truncate(39);
    CHECK(bits_of(copy.step(tokens[39])) == after(40));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE_FIXTURE(Fixture, "options are checked") {
  CHECK(error_of([&] { Session(model, {.prefill_chunk = 0}); }).code() == Errc::kInvalidArgument);
  CHECK(error_of([&] { Session(model, {.capacity = std::numeric_limits<std::size_t>::max()}); }).code() ==
        Errc::kInvalidArgument);
  CHECK(Session(model).capacity() == 256);  // what the model was trained for
}
