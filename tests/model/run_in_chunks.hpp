// The bits of all logits of a text, for tests that compare them with `==`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "lamina/model/session.hpp"
#include "model/random_model.hpp"

namespace lamina::test {

/// Logits after every token, computed in chunks of the given length.
template <class C = ContiguousCache<KvElement::kF16>, class M>
Bits run(M const& model, std::vector<Token> const& tokens, std::size_t chunk) {
  Session<M, C> session(model, {.capacity = tokens.size(), .prefill_chunk = chunk, .max_logits = chunk});
  Bits all;
  for (std::size_t i = 0; i < tokens.size(); i += chunk) {
    Logits const logits = session.evaluate(std::span(tokens).subspan(i, std::min(chunk, tokens.size() - i)));
    for (std::size_t r = 0; r < logits.rows; ++r) {
      Bits const row = bits_of(logits.row(r));
      all.insert(all.end(), row.begin(), row.end());
    }
  }
  return all;
}

}  // namespace lamina::test
