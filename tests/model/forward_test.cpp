// A forward pass: what it refuses, and what a refusal, a cancellation or a NaN leaves behind.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "lamina/model/llama.hpp"
#include "lamina/model/model.hpp"
#include "lamina/model/session.hpp"
#include "model/random_model.hpp"
#include "model/run_in_chunks.hpp"

using namespace lamina;
using namespace lamina::test;

namespace {

/// Qwen 2's shape: biases, and RoPE over halves.
struct Biased {
  static constexpr std::string_view name = "biased";
  static constexpr auto norm = Norm::Rms;
  static constexpr auto rope = Rope::Halves;
  static constexpr auto ffn = Ffn::SwiGlu;
  static constexpr bool qkv_bias = true;
  static constexpr TensorNames tensors{};
};

struct Unbiased : Biased {
  static constexpr bool qkv_bias = false;
};
struct Interleaved : Biased {
  static constexpr auto rope = Rope::Interleaved;
};

using Cache = ContiguousCache<KvElement::kF32>;

struct Fixture {
  Model<Llama> model = Model<Llama>::load(random_checkpoint({}));
  Cache cache{model.kv_shape(), {.capacity = 64, .max_sequences = 2}};
  Workspace workspace = model.make_workspace({.max_rows = 40, .max_logits = 4, .max_context = 128});
  SequenceId a = cache.create();
  SequenceId b = cache.create();
  std::vector<Token> tokens = random_tokens(64, 107);

  Logits forward(std::vector<BatchItem> const& batch, std::stop_token stop = {}) {
    return model.forward(batch, cache, workspace, stop);
  }
  [[nodiscard]] std::span<Token const> first(std::size_t n) const { return std::span(tokens).first(n); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "bad batches are refused, and nothing is committed") {
  auto const refused = [&](std::vector<BatchItem> const& batch) {
    Error const error = error_of([&] { forward(batch); });
    CHECK(cache.length(a) == 0);
    CHECK(cache.length(b) == 0);
    return error;
  };
  CHECK(refused({}).code() == Errc::kInvalidArgument);
  CHECK(refused({{a, {}, LogitsFor::kLast}}).code() == Errc::kInvalidArgument);
  CHECK(refused({{a, first(3)}, {a, first(2)}}).code() == Errc::kInvalidArgument);
  CHECK(refused({{SequenceId{77}, first(3)}}).code() == Errc::kInvalidArgument);
  tokens[2] = 107;
  Error const token = refused({{b, first(2)}, {a, first(3)}});
  CHECK(token.code() == Errc::kTokenOutOfRange);
  CHECK(says(token, "forward: batch item 1, token 2 is 107"));
  CHECK(says(token, model.config().source));
  tokens[2] = -1;
  CHECK(refused({{a, first(3)}}).code() == Errc::kTokenOutOfRange);
  tokens[2] = 0;
  CHECK(says(refused({{a, first(41)}}), "workspace"));
  CHECK(says(refused({{a, first(5), LogitsFor::kAll}}), "workspace"));
  std::vector<Token> const many(65, 1);
  CHECK(refused({{b, first(2)}, {a, many}}).code() == Errc::kContextFull);
  Cache other({2, 2, 8}, {});
  auto const s = other.create();
  std::vector<BatchItem> const batch{{s, first(2)}};
  CHECK(error_of([&] { model.forward(batch, other, workspace); }).code() == Errc::kShape);
}

TEST_CASE_FIXTURE(Fixture, "logits come for the rows asked for, in order of the batch") {
  Logits const none = forward({{a, first(3), LogitsFor::kNone}});
  CHECK(none.rows == 0);
  CHECK(cache.length(a) == 3);
  Logits const some = forward({{b, first(3), LogitsFor::kAll}, {a, first(1), LogitsFor::kLast}});
  CHECK(some.rows == 4);
  CHECK(some.cols == 107);
  CHECK(cache.length(a) == 4);
  CHECK(cache.length(b) == 3);
}

TEST_CASE_FIXTURE(Fixture, "a full context is an error until it is truncated") {
  forward({{a, first(40)}});
  forward({{a, first(24)}});
  Error const error = error_of([&] { forward({{b, first(1)}, {a, first(1)}}); });
  CHECK(error.code() == Errc::kContextFull);
  CHECK(says(error, "64"));
  CHECK(cache.length(b) == 0);
  cache.truncate(a, 63);
  forward({{a, first(1)}});
}

TEST_CASE_FIXTURE(Fixture, "cancellation leaves the cache as it was") {
  Bits const expected = bits_of(forward({{a, first(20)}}).row(0));
  cache.truncate(a, 0);
  std::stop_source source;
  source.request_stop();
  CHECK(error_of([&] { forward({{a, first(20)}}, source.get_token()); }).code() == Errc::kCancelled);
  CHECK(cache.length(a) == 0);
  CHECK(bits_of(forward({{a, first(20)}}).row(0)) == expected);
}

TEST_CASE("cancellation is honoured within one operation of a layer") {
  // An executor that triggers the stop in its n-th run: every later run would be another operation's.
  std::stop_source source;
  std::size_t runs = 0;
  std::size_t stop_at = 0;  // never
  std::size_t seen_after = 0;
  auto loop = [&](std::size_t n, TaskRef task) {
    if (source.stop_requested()) ++seen_after;
    if (++runs == stop_at) source.request_stop();
    for (std::size_t i = 0; i < n; ++i) task(i);
  };
  HostExecutor executor(4, loop);
  using Backend = Cpu<decltype(executor)>;
  auto const model = Model<Llama, quant::AsStored, Backend>::load(random_checkpoint({.ffn_dim = 4096}), {},
                                                                  Backend(executor, best_kernels()));
  Session<decltype(model), Cache> session(Model<Llama, quant::AsStored, Backend>(model), {.capacity = 256});
  auto const tokens = random_tokens(256, 107);
  runs = 0;
  Bits const expected = bits_of(session.prefill(tokens));
  std::size_t const n_runs = runs;
  CHECK(n_runs > 10);
  // In each of them: the last layer's are in two parts. The head of this model is too small for threads.
  for (stop_at = 1; stop_at <= n_runs; ++stop_at) {
    CAPTURE(stop_at);
    session.truncate(0);
    runs = seen_after = 0;
    source = std::stop_source();
    CHECK(error_of([&] { session.prefill(tokens, source.get_token()); }).code() == Errc::kCancelled);
    CHECK(session.length() == 0);
    CHECK(session.cache().length(session.sequence()) == 0);
    CHECK(seen_after <= 1);  // attention is two runs
  }
  CHECK(bits_of(session.prefill(tokens)) == expected);
}

TEST_CASE("rows without logits end with the last layer's keys and values") {
  std::size_t runs = 0;
  auto loop = [&](std::size_t n, TaskRef task) {
    ++runs;
    for (std::size_t i = 0; i < n; ++i) task(i);
  };
  HostExecutor executor(2, loop);
  using Backend = Cpu<decltype(executor)>;
  auto const model = Model<Llama, quant::AsStored, Backend>::load(random_checkpoint({.ffn_dim = 4096}), {},
                                                                  Backend(executor, best_kernels()));
  Cache cache(model.kv_shape(), {.capacity = 256});
  auto workspace = model.make_workspace({.max_rows = 64, .max_logits = 64, .max_context = 256});
  auto const sequence = cache.create();
  auto const tokens = random_tokens(64, 107);
  auto const runs_of = [&](LogitsFor wanted) {
    BatchItem const item{sequence, tokens, wanted};
    runs = 0;
    model.forward(Batch(&item, 1), cache, workspace);
    return runs;
  };
  std::size_t const all = runs_of(LogitsFor::kAll);
  CHECK(runs_of(LogitsFor::kLast) < all);      // of one row most operations are too little for two threads
  CHECK(runs_of(LogitsFor::kNone) + 4 < all);  // attention, output, gate and up, down, and the head
}

TEST_CASE("NaN in the logits is an error that names the row, and is not kept") {
  // A vocabulary in which token 3 is poison.
  auto const checkpoint = random_checkpoint(
      {.tied = false}, {}, [](std::string name) { return name == "token_embd.weight" ? "replaced" : name; });
  ModelFile file;
  file.writer.set_all(checkpoint.metadata());
  for (TensorInfo const& t : checkpoint.tensors()) {
    if (t.name != "replaced") {
      file.writer.add(t.name, t.format, t.dims, t.bytes);
      continue;
    }
    auto& bytes = file.data.emplace_back(t.bytes.begin(), t.bytes.end());
    float const nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(bytes.data() + 3 * 64 * sizeof(float), &nan, sizeof(nan));
    file.writer.add("token_embd.weight", t.format, t.dims, bytes);
  }
  std::string folder = (std::filesystem::temp_directory_path() / "lamina_nan_XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  auto const path = std::filesystem::path(folder) / "nan.gguf";
  file.writer.write(path);
  auto const model = Model<Llama>::load(Checkpoint::open(path));
  std::filesystem::remove_all(folder);
  Session session(model, {.capacity = 64, .max_logits = 8});
  std::vector<Token> const clean{1, 2, 4};
  Bits const expected = bits_of(session.prefill(clean));
  std::vector<Token> const poisoned{5, 3, 6};
  Error const error = error_of([&] { session.evaluate(poisoned); });
  CHECK(error.code() == Errc::kNotFinite);
  CHECK(says(error, path.string() + ": forward: NaN or infinity in row 1"));
  CHECK(session.length() == 3);
  // What the poisoned tokens left in the cache beyond its length reaches no later token.
  Bits const after = bits_of(session.step(7));
  session.truncate(0);
  CHECK(bits_of(session.prefill(clean)) == expected);
  CHECK(bits_of(session.step(7)) == after);
}

TEST_CASE("biases and the other RoPE layout reach the logits, with the same bits in any chunks") {
  auto const checkpoint = random_checkpoint({.format = Format::kQ8_0, .qkv_bias = true, .architecture = "biased"});
  auto const model = Model<Biased>::load(checkpoint);
  auto const tokens = random_tokens(40, 107);
  Session session(model, {.capacity = 64});
  Bits const whole = bits_of(session.prefill(tokens));
  session.truncate(0);
  for (Token const t : tokens) session.step(t);
  CHECK(bits_of(session.logits()) == whole);

  Session without(Model<Unbiased>::load(checkpoint), {.capacity = 64});
  CHECK(bits_of(without.prefill(tokens)) != whole);
  Session interleaved(Model<Interleaved>::load(checkpoint), {.capacity = 64});
  CHECK(bits_of(interleaved.prefill(tokens)) != whole);
}

/// The random model, with the tensors of the other whose names hold `part`.
template <class M = Model<Llama>>
M mixed(RandomModel const& one, RandomModel const& other, std::string_view part, std::size_t threads) {
  Checkpoint const a = random_checkpoint(one), b = random_checkpoint(other);
  ModelFile file;
  file.writer.set_all(a.metadata());
  for (TensorInfo const& of_a : a.tensors()) {
    TensorInfo const& t = of_a.name.find(part) == std::string::npos ? of_a : *b.find(of_a.name);
    file.writer.add(t.name, t.format, t.dims, t.bytes);
  }
  std::string folder = (std::filesystem::temp_directory_path() / "lamina_mixed_XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  auto const path = std::filesystem::path(folder) / "mixed.gguf";
  file.writer.write(path);
  M model = M::load(Checkpoint::open(path), {.threads = threads});
  std::filesystem::remove_all(folder);
  return model;
}

TEST_CASE("an FFN of any width, and any mixture of formats: the same bits in any chunks, with any number of threads") {
  struct Case {
    RandomModel most;
    Format other;
    std::string_view part = "ffn_down";
  };
  // 150 columns end within a panel and within 32 columns, 416 are tasks of several steps; 300 rows are two tiles.
  for (Case const& c : {Case{{.ffn_dim = 150}, Format::kF32}, Case{{.format = Format::kQ8_0}, Format::kQ8_0},
                        Case{{.format = Format::kQ8_0, .ffn_dim = 416}, Format::kF32},
                        Case{{.format = Format::kF16, .ffn_dim = 416}, Format::kQ4_0},
                        Case{{.format = Format::kQ8_0}, Format::kF16, "attn_v"},
                        Case{{.format = Format::kQ4_0, .n_layers = 1}, Format::kQ4_0},
                        Case{{.format = Format::kF16}, Format::kQ8_0, "ffn_up"}}) {
    RandomModel most = c.most;
    most.n_ctx = 512;
    RandomModel other = most;
    other.format = c.other;
    auto const load = [&](std::size_t threads) { return mixed(most, other, c.part, threads); };
    auto const tokens = random_tokens(300, 107);
    Bits const expected = run(load(1), tokens, 300);
    for (std::size_t const threads : {1u, 3u}) {
      for (std::size_t const chunk : {1u, 7u, 40u, 300u}) {
        CAPTURE(most.ffn_dim);
        CAPTURE(threads);
        CAPTURE(chunk);
        auto const model = load(threads);
        CHECK(run(model, tokens, chunk) == expected);
        // Without logits of the rows before, the last layer is cut short.
        Session session(model, {.capacity = 300, .prefill_chunk = chunk});
        CHECK(std::ranges::equal(bits_of(session.prefill(tokens)), std::span(expected).last(107)));
      }
    }
  }
}

TEST_CASE("two sessions on one model in two threads") {
  auto const model = Model<Llama>::load(random_checkpoint({.format = Format::kQ4_0}), {.threads = 2});
  auto const run = [&](std::uint64_t seed, Bits& out) {
    Session session(model, {.capacity = 128});
    session.prefill(random_tokens(60, 107, seed));
    for (Token const t : random_tokens(40, 107, seed + 1)) session.step(t);
    out = bits_of(session.logits());
  };
  Bits expected[2];
  run(1, expected[0]);
  run(2, expected[1]);
  Bits found[2];
  {
    std::jthread const first([&] { run(1, found[0]); });
    std::jthread const second([&] { run(2, found[1]); });
  }
  CHECK(found[0] == expected[0]);
  CHECK(found[1] == expected[1]);
}

TEST_CASE("absurd workspaces are errors") {
  auto const model = Model<Llama>::load(random_checkpoint({}));
  constexpr auto kHuge = std::numeric_limits<std::size_t>::max();
  for (WorkspaceOptions const options :
       {WorkspaceOptions{0, 1, 1}, WorkspaceOptions{1, 2, 1}, WorkspaceOptions{1, 1, 0}, WorkspaceOptions{kHuge, 1, 1},
        WorkspaceOptions{1, 1, kHuge}}) {
    CHECK(error_of([&] { static_cast<void>(model.make_workspace(options)); }).code() == Errc::kInvalidArgument);
  }
}
