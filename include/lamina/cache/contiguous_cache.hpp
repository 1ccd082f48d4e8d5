// The plain KV cache: each sequence owns one contiguous region with room for `capacity` tokens, taken at creation.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>

#include "lamina/cache/kv_cache.hpp"
#include "lamina/core/aligned.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/numeric.hpp"

namespace lamina::inline v0_1 {

struct CacheOptions {
  std::size_t capacity = 4096;    // tokens that each sequence can hold; memory for whole blocks of kKvBlock
  std::size_t max_sequences = 1;  // sequences alive at a time
  /// kHuge for a capacity that will be used up: a step over 8,192 tokens of Llama 3.2 1B then takes 0.93 to 0.98 of the
  /// time (Zen 5), but its first token brings 2 MiB for each layer and KV head into memory, or all that there is.
  Pages pages = Pages::kSystem;
};

/// KV cache with elements of type E. All memory is reserved at creation and handed out by the system page by page as
/// tokens arrive, so a long capacity costs what is used of it. fork() copies. A model for KvCache (kv_cache.hpp).
///
/// Threads may use different sequences at the same time, and create, fork and release them.
///
///     ContiguousCache<KvElement::kF16> cache(model.kv_shape(), {.capacity = 4096, .max_sequences = 8});
template <KvElement E>
class ContiguousCache {
 public:
  using Options = CacheOptions;

  /// Throws Error{kInvalidArgument} where a dimension is zero, a size overflows or the memory is not to be had.
  explicit ContiguousCache(KvShape const& shape, CacheOptions const& options = {})
      : shape_(shape),
        capacity_(options.capacity),
        max_blocks_(div_ceil(options.capacity, kKvBlock)),
        max_sequences_(options.max_sequences) {
    if (shape.n_layers == 0 || shape.n_kv_heads == 0 || shape.head_dim == 0) {
      fail(Errc::kInvalidArgument, "ContiguousCache: shape of ", shape.n_layers, " layers, ", shape.n_kv_heads,
           " KV heads, head dimension ", shape.head_dim, "; expected all above zero");
    }
    if (options.capacity == 0 || options.max_sequences == 0 || options.max_sequences > kMaxSequences) {
      fail(Errc::kInvalidArgument, "ContiguousCache: capacity ", options.capacity, ", max_sequences ",
           options.max_sequences, "; expected at least one token and 1 to ", kMaxSequences, " sequences");
    }
    // Every factor is at least 1 and divides the total, so if the total fits, so does each partial product.
    std::optional<std::size_t> bytes = 2 * kKvBlock * size_of(E);
    for (std::size_t factor : {shape.head_dim, max_blocks_, shape.n_kv_heads, shape.n_layers, max_sequences_}) {
      if (bytes) bytes = checked_mul(*bytes, factor);
    }
    try {
      if (!bytes || *bytes > kMaxBytes) throw std::bad_alloc();
      storage_ = AlignedBuffer<std::byte>(*bytes, options.pages);
    } catch (std::bad_alloc const&) {
      fail(Errc::kInvalidArgument, "ContiguousCache: no memory for ", max_sequences_, " sequences of ",
           options.capacity, " tokens");
    }
    base_ = storage_.data();
    half_bytes_ = shape.head_dim * kKvBlock * size_of(E);
    head_bytes_ = 2 * half_bytes_ * max_blocks_;
    sequence_bytes_ = head_bytes_ * shape.n_kv_heads * shape.n_layers;
    slots_ = std::make_unique<Slot[]>(max_sequences_);
  }

  [[nodiscard]] KvShape const& shape() const noexcept { return shape_; }
  [[nodiscard]] KvElement element() const noexcept { return E; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t max_blocks() const noexcept { return max_blocks_; }
  [[nodiscard]] std::size_t max_sequences() const noexcept { return max_sequences_; }
  /// Bytes reserved; what tokens have touched of them is in memory.
  [[nodiscard]] std::size_t bytes() const noexcept { return sequence_bytes_ * max_sequences_; }

  SequenceId create() {
    for (std::size_t i = 0; i < max_sequences_; ++i) {
      Slot& slot = slots_[i];
      if (slot.taken.exchange(true, std::memory_order_acquire)) continue;
      slot.length = 0;
      slot.reserved = 0;
      // A slot's next tenant has another id, so that a stale one is caught.
      slot.generation = (slot.generation + 1) % (std::numeric_limits<std::uint32_t>::max() / kMaxSequences);
      std::uint32_t const id = slot.generation * kMaxSequences + static_cast<std::uint32_t>(i);
      slot.id.store(id, std::memory_order_relaxed);
      return SequenceId{id};
    }
    fail(Errc::kContextFull, "ContiguousCache: all ", max_sequences_, " sequences are in use (max_sequences)");
  }

  void reserve(SequenceId s, std::size_t n) {
    Slot& slot = at(s);
    if (n > capacity() - slot.length) {
      fail(Errc::kContextFull, "ContiguousCache: ", slot.length, " tokens and ", n, " more exceed the capacity of ",
           capacity());
    }
    slot.reserved = n;
  }

  void commit(SequenceId s, std::size_t n) {
    Slot& slot = at(s);
    if (n > slot.reserved) {
      fail(Errc::kInvalidArgument, "ContiguousCache: commit of ", n, " tokens, ", slot.reserved, " were reserved");
    }
    slot.length += n;
    slot.reserved -= n;
  }

  void truncate(SequenceId s, std::size_t n) {
    Slot& slot = at(s);
    if (n > slot.length) {
      fail(Errc::kInvalidArgument, "ContiguousCache: truncate to ", n, " tokens, the sequence has ", slot.length);
    }
    slot.length = n;
    slot.reserved = 0;
  }

  SequenceId fork(SequenceId s) {
    std::size_t const length = at(s).length;
    SequenceId const copy = create();
    std::size_t const used = div_ceil(length, kKvBlock) * 2 * half_bytes_;
    for (std::size_t head = 0; head < shape_.n_layers * shape_.n_kv_heads; ++head) {
      std::memcpy(region(copy) + head * head_bytes_, region(s) + head * head_bytes_, used);
    }
    at(copy).length = length;
    return copy;
  }

  void release(SequenceId s) {
    Slot& slot = at(s);
    slot.id.store(kNobody, std::memory_order_relaxed);
    slot.taken.store(false, std::memory_order_release);
  }

  [[nodiscard]] std::size_t length(SequenceId s) const { return at(s).length; }

  // NOLINTNEXTLINE(modernize-use-nodiscard): a caller that counted the blocks has them in `out`
  std::span<KvBlockRef> blocks(SequenceId s, std::size_t layer, std::size_t head, std::size_t n_tokens,
                               std::span<KvBlockRef> out) const {
    Slot const& slot = at(s);
    std::size_t const n = div_ceil(n_tokens, kKvBlock);
    if (layer >= shape_.n_layers || head >= shape_.n_kv_heads || n_tokens > slot.length + slot.reserved ||
        n > out.size()) {
      fail(Errc::kInvalidArgument, "ContiguousCache: blocks of layer ", layer, ", head ", head, ", ", n_tokens,
           " tokens into ", out.size(), " places: out of range");
    }
    std::byte* p = region(s) + (layer * shape_.n_kv_heads + head) * head_bytes_;
    for (std::size_t b = 0; b < n; ++b, p += 2 * half_bytes_) out[b] = {p, p + half_bytes_};
    return out.first(n);
  }

 private:
  static constexpr std::uint32_t kMaxSequences = 65536;
  static constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t kMaxBytes = std::numeric_limits<std::size_t>::max() / 4;

  struct Slot {
    std::atomic<bool> taken{false};
    std::atomic<std::uint32_t> id{kNobody};
    std::uint32_t generation = 0;
    std::size_t length = 0;    // committed tokens
    std::size_t reserved = 0;  // room promised beyond them
  };

  [[nodiscard]] Slot& at(SequenceId s) const {
    auto const id = static_cast<std::uint32_t>(s);
    std::size_t const i = id % kMaxSequences;
    if (i >= max_sequences_ || slots_[i].id.load(std::memory_order_relaxed) != id) {
      fail(Errc::kInvalidArgument, "ContiguousCache: sequence ", id, " is not alive");
    }
    return slots_[i];
  }
  [[nodiscard]] std::byte* region(SequenceId s) const noexcept {
    return base_ + (static_cast<std::uint32_t>(s) % kMaxSequences) * sequence_bytes_;
  }

  KvShape shape_;
  std::size_t capacity_;
  std::size_t max_blocks_;
  std::size_t max_sequences_;
  std::size_t half_bytes_ = 0;      // K or V of one block
  std::size_t head_bytes_ = 0;      // all blocks of one layer and head
  std::size_t sequence_bytes_ = 0;  // [n_layers][n_kv_heads][max_blocks][K, V]
  AlignedBuffer<std::byte> storage_;
  std::byte* base_ = nullptr;  // of storage_: a const cache gives out blocks to write
  std::unique_ptr<Slot[]> slots_;
};

static_assert(KvCache<ContiguousCache<KvElement::kF32>>);
static_assert(KvCache<ContiguousCache<KvElement::kF16>>);

}  // namespace lamina::inline v0_1
