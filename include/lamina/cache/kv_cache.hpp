// What a KV cache is to attention: blocks of tokens, per sequence, layer and head.
//
// Contiguous, paged, sliding-window, sink and quantized caches differ in where the blocks come from and which they
// keep. Attention sees a list of blocks and never learns which cache it reads.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lamina/kernels/kernel_table.hpp"

namespace lamina::inline v0_1 {

/// A sequence in a cache: a number that the cache gave out, valid until release().
enum class SequenceId : std::uint32_t {};

/// What a cache stores for each token, fixed by the model.
struct KvShape {
  std::size_t n_layers = 0;
  std::size_t n_kv_heads = 0;
  std::size_t head_dim = 0;
  friend constexpr bool operator==(KvShape const&, KvShape const&) = default;
};

/// The life of a token in a cache: reserve() makes room, the decoder writes its K and V into the blocks, commit()
/// makes it count. A step that fails or is cancelled between the two leaves the sequence as it was.
///
///   create()            -> a new, empty sequence; Error{kContextFull} where no sequence is left
///   reserve(s, n)       room for n more tokens after length(s); Error{kContextFull} names length, n and capacity
///   commit(s, n)        length(s) grows by n, n <= what was reserved
///   truncate(s, n)      forgets the tokens from position n on; Error{kInvalidArgument} if n > length(s)
///   fork(s)             -> a new sequence with the same tokens (copied, or shared and copied on write)
///   release(s)          the sequence ends and its memory is free for others
///   length(s)           committed tokens
///   blocks(s, layer, head, n_tokens, out)
///                       fills out with the blocks of the first n_tokens tokens (reserved ones included), in order of
///                       position, and returns the part that it filled; out has max_blocks() places
/// Members that take a SequenceId throw Error{kInvalidArgument} for one that is not alive. Different sequences of one
/// cache may be used by different threads only where the cache says so.
template <class C>
concept KvCache = requires(C& cache, C const& const_cache, SequenceId s, std::size_t n, std::span<KvBlockRef> out) {
  { const_cache.shape() } -> std::same_as<KvShape const&>;
  { const_cache.element() } -> std::same_as<KvElement>;
  { const_cache.capacity() } -> std::convertible_to<std::size_t>;    // tokens that one sequence can hold
  { const_cache.max_blocks() } -> std::convertible_to<std::size_t>;  // blocks that one sequence can have
  { cache.create() } -> std::same_as<SequenceId>;
  { cache.reserve(s, n) };
  { cache.commit(s, n) };
  { cache.truncate(s, n) };
  { cache.fork(s) } -> std::same_as<SequenceId>;
  { cache.release(s) };
  { const_cache.length(s) } -> std::convertible_to<std::size_t>;
  { cache.blocks(s, n, n, n, out) } -> std::same_as<std::span<KvBlockRef>>;
};

}  // namespace lamina::inline v0_1
