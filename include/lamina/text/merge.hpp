// The merging that both kinds of BPE share: neighbours in a list become one, best pair first, in O(n log n).
//
// Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units". A heap holds an entry for every
// pair that may merge; one that no longer says what its symbol says is dropped when it comes up. Each merge removes a
// symbol and adds at most two entries, so n symbols cost at most 3 n heap operations, even where a megabyte is one
// word.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "lamina/core/token.hpp"

namespace lamina::inline v0_1::detail {

inline constexpr std::uint32_t kNoSymbol = 0xffffffff;

inline constexpr std::uint32_t kNoOrder = 0xffffffff;

/// What two neighbours would become, and when: the lowest order goes first, the leftmost among equals.
struct Merge {
  std::uint32_t order = kNoOrder;  // kNoOrder: never
  Token piece = kNoToken;
};

/// A part of the text that is one piece so far; a node of a doubly linked list.
struct Symbol {
  std::uint32_t begin;  // bytes into the text
  std::uint32_t size;
  std::uint32_t prev;  // index of a symbol, or kNoSymbol
  std::uint32_t next;
  Token piece;       // kNoToken where the vocabulary has none
  Merge merge = {};  // with the next symbol
};

/// Working memory, to be used again from word to word.
struct MergeScratch {
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> heap;  // order << 32 | index of the left symbol
};

/// Appends a symbol to the list. Precondition: it begins where the last one ends.
inline void append_symbol(std::vector<Symbol>& symbols, std::size_t begin, std::size_t size, Token piece) {
  auto const index = static_cast<std::uint32_t>(symbols.size());
  if (index != 0) symbols.back().next = index;
  symbols.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(size),
                     index == 0 ? kNoSymbol : index - 1, kNoSymbol, piece});
}

/// Merges scratch.symbols until no pair is left that may. Walk the result from symbol 0 along `next`.
/// find(left, right) gives the Merge of two neighbouring symbols.
template <class Find>
void merge_symbols(MergeScratch& scratch, Find const& find) {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  // Whether the pair that starts at `left` may merge; notes it in the symbol and adds it behind the heap.
  auto const note = [&](std::uint32_t left) {
    Symbol& symbol = symbols[left];
    symbol.merge = symbol.next == kNoSymbol ? Merge{} : find(symbol, symbols[symbol.next]);
    if (symbol.merge.order == kNoOrder) return false;
    heap.push_back(std::uint64_t{symbol.merge.order} << 32 | left);
    return true;
  };
  auto const push = [&](std::uint32_t left) {
    if (left != kNoSymbol && note(left)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };

  heap.clear();
  for (std::uint32_t i = 0; i + 1 < symbols.size(); ++i) note(i);
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    auto const index = static_cast<std::uint32_t>(heap.back());
    auto const order = static_cast<std::uint32_t>(heap.back() >> 32);
    heap.pop_back();
    Symbol& left = symbols[index];
    if (left.merge.order != order) continue;
    Symbol& right = symbols[left.next];
    left.size += right.size;
    left.piece = left.merge.piece;
    left.next = right.next;
    right.merge = {};
    if (right.next != kNoSymbol) symbols[right.next].prev = index;
    push(left.prev);
    push(index);
  }
}

}  // namespace lamina::inline v0_1::detail
