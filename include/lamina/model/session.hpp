// A session: one conversation with a model. It owns its workspace, and its place in a KV cache.
//
//   Session session(model);                                  // a cache of its own, f16
//   auto logits = session.prefill(tokenizer.encode("Once upon a time"));   // [n_vocab], after the last token
//   logits = session.step(next);
//
// Sessions that run in turn or as a batch may share a cache: Session(model, std::make_shared<Cache>(...)).
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "lamina/cache/contiguous_cache.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/model/batch.hpp"
#include "lamina/model/session_file.hpp"
#include "lamina/model/workspace.hpp"

namespace lamina::inline v0_1 {

struct SessionOptions {
  std::size_t capacity = 0;  // tokens, for a cache of its own; 0: as many as the model was trained for, up to 4096
  std::size_t prefill_chunk = 512;  // tokens of one forward pass, which sizes the workspace; no bit depends on it
  std::size_t max_logits = 1;       // rows of logits that one evaluate() may give
};

/// One thread at a time uses a session. Sessions on one model, each with a cache of its own, run in parallel; sessions
/// that share a cache where the cache allows it.
template <class M, KvCache C = ContiguousCache<KvElement::kF16>>
class Session {
 public:
  using Model = M;
  using Cache = C;

  /// With a cache of its own. Throws Error{kInvalidArgument} for absurd options.
  explicit Session(M model, SessionOptions const& options = {})
    requires std::constructible_from<C, KvShape const&, typename C::Options const&>
      : Session(std::move(model), nullptr, options) {}

  /// With a sequence of a shared cache. Throws Error{kContextFull} where the cache has no sequence left.
  Session(M model, std::shared_ptr<C> cache, SessionOptions const& options = {})
      : model_(std::move(model)),
        options_(options),
        shared_(cache != nullptr),
        cache_(shared_ ? std::move(cache) : own_cache(model_, options)),
        workspace_(make_workspace()) {
    tokens_.reserve(cache_->capacity());
    sequence_ = cache_->create();  // last: nothing that may throw comes after it
  }

  Session(Session&& other) noexcept
      : model_(std::move(other.model_)),
        options_(other.options_),
        shared_(other.shared_),
        cache_(std::move(other.cache_)),
        workspace_(std::move(other.workspace_)),
        sequence_(other.sequence_),
        tokens_(std::move(other.tokens_)),
        logits_(std::exchange(other.logits_, {})) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(model_, other.model_);
    std::swap(options_, other.options_);
    std::swap(shared_, other.shared_);
    std::swap(cache_, other.cache_);
    std::swap(workspace_, other.workspace_);
    std::swap(sequence_, other.sequence_);
    std::swap(tokens_, other.tokens_);
    std::swap(logits_, other.logits_);
    return *this;
  }
  ~Session() {
    if (cache_) cache_->release(sequence_);
  }

  [[nodiscard]] M const& model() const noexcept { return model_; }
  [[nodiscard]] C& cache() const noexcept { return *cache_; }
  [[nodiscard]] SequenceId sequence() const noexcept { return sequence_; }
  [[nodiscard]] std::size_t length() const noexcept { return tokens_.size(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return cache_->capacity(); }
  /// Throws Error{kContextFull} that names the model's file where n more tokens do not fit.
  void require_room(std::size_t n) const {
    if (n <= capacity() - length()) return;
    fail(Errc::kContextFull, model_.config().source, ": the context of ", capacity(), " tokens holds ", length(),
         " and has no room for ", n, " more");
  }
  /// All tokens so far, [length()].
  [[nodiscard]] std::span<Token const> tokens() const noexcept { return tokens_; }
  /// The logits of the last prefill or step, [n_vocab]; empty before the first and after truncate and load.
  [[nodiscard]] std::span<float const> logits() const noexcept { return logits_; }

  /// Appends tokens, in chunks of options.prefill_chunk. Returns the logits after the last, [n_vocab], valid until the
  /// next call. Throws Error as Model::forward does, and leaves the session's tokens as they were.
  std::span<float const> prefill(std::span<Token const> tokens, std::stop_token const& stop = {}) {
    if (tokens.empty()) fail(Errc::kInvalidArgument, model_.config().source, ": Session::prefill: no tokens");
    require_room(tokens.size());
    std::size_t const before = length();
    try {
      while (tokens.size() > chunk()) {
        append(tokens.first(chunk()), LogitsFor::kNone, stop);
        tokens = tokens.subspan(chunk());
      }
      logits_ = append(tokens, LogitsFor::kLast, stop).row(0);
    } catch (...) {
      truncate(before);
      throw;
    }
    return logits_;
  }

  /// Appends one token: prefill of one. Allocates nothing.
  std::span<float const> step(Token token, std::stop_token const& stop = {}) { return prefill({&token, 1}, stop); }

  /// Appends tokens and returns the logits after each, [tokens.size(), n_vocab], valid until the next call.
  /// Throws as prefill; Error{kInvalidArgument} also for more tokens than options.max_logits or prefill_chunk.
  Logits evaluate(std::span<Token const> tokens, std::stop_token const& stop = {}) {
    Logits const all = append(tokens, LogitsFor::kAll, stop);
    logits_ = all.row(all.rows - 1);
    return all;
  }

  /// Forgets the tokens from position n on. Throws Error{kInvalidArgument} if n > length().
  void truncate(std::size_t n) {
    cache_->truncate(sequence_, n);
    tokens_.resize(n);
    logits_ = {};
  }

  /// A second session with the same tokens: with a cache of its own where this one has, else with another sequence of
  /// the shared one. Its logits() are empty until its first step.
  [[nodiscard]] Session fork() const { return shared_ ? Session(SharedFork{}, *this) : own_fork(); }

  /// Writes tokens and cache to a file. Throws Error{kIo} that names it.
  void save(std::filesystem::path const& path) const {
    detail::save_sequence(path, *cache_, sequence_, tokens_, model_.config().n_vocab);
  }

  /// A session that goes on where the saved one was. Throws Error that names the file: kIo, kCorrupt for anything that
  /// save() does not write, kShape for another model's or another element type, kContextFull where it does not fit.
  static Session load(std::filesystem::path const& path, M model, SessionOptions const& options = {})
    requires std::constructible_from<C, KvShape const&, typename C::Options const&>
  {
    return load(path, std::move(model), nullptr, options);
  }
  static Session load(std::filesystem::path const& path, M model, std::shared_ptr<C> cache,
                      SessionOptions const& options = {}) {
    Session session(std::move(model), std::move(cache), options);
    detail::load_sequence(path, *session.cache_, session.sequence_, session.tokens_, session.model_.config().n_vocab);
    return session;
  }

 private:
  using Workspace = typename M::Workspace;
  static constexpr std::size_t kDefaultCapacity = 4096;
  struct SharedFork {};

  Session(SharedFork, Session const& from)
      : model_(from.model_), options_(from.options_), shared_(true), cache_(from.cache_), workspace_(make_workspace()) {
    tokens_.reserve(cache_->capacity());
    tokens_.assign(from.tokens_.begin(), from.tokens_.end());
    sequence_ = cache_->fork(from.sequence_);  // last, as above
  }
  [[nodiscard]] Session own_fork() const {
    Session copy(model_, nullptr, options_);
    detail::copy_sequence(*cache_, sequence_, *copy.cache_, copy.sequence_);
    copy.tokens_.assign(tokens_.begin(), tokens_.end());
    return copy;
  }

  static std::shared_ptr<C> own_cache(M const& model, SessionOptions const& options) {
    std::size_t const capacity =
        options.capacity != 0 ? options.capacity : std::min(model.config().n_ctx_train, kDefaultCapacity);
    return std::make_shared<C>(model.kv_shape(), typename C::Options{.capacity = capacity, .max_sequences = 1});
  }
  [[nodiscard]] std::size_t chunk() const noexcept { return workspace_.options().max_rows; }
  [[nodiscard]] Workspace make_workspace() const {
    if (options_.prefill_chunk == 0) fail(Errc::kInvalidArgument, "Session: prefill_chunk is 0");
    std::size_t const rows = std::min(options_.prefill_chunk, cache_->capacity());
    return model_.make_workspace({.max_rows = rows,
                                  .max_logits = std::clamp<std::size_t>(options_.max_logits, 1, rows),
                                  .max_context = cache_->capacity()});
  }

  Logits append(std::span<Token const> tokens, LogitsFor logits, std::stop_token const& stop) {
    BatchItem const item{.sequence = sequence_, .tokens = tokens, .logits = logits};
    logits_ = {};
    Logits const out = model_.forward(Batch(&item, 1), *cache_, workspace_, stop);
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());  // within the reserved capacity
    return out;
  }

  M model_;
  SessionOptions options_;
  bool shared_;
  std::shared_ptr<C> cache_;
  Workspace workspace_;
  SequenceId sequence_{};
  std::vector<Token> tokens_;
  std::span<float const> logits_;
};

template <class M>
Session(M, SessionOptions) -> Session<M>;
template <class M>
Session(M) -> Session<M>;

}  // namespace lamina::inline v0_1
