// Special tokens in text: a trie over the texts of control, unknown and user-defined tokens.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lamina/core/token.hpp"
#include "lamina/text/vocabulary.hpp"

namespace lamina::inline v0_1::detail {

class SpecialTokens {
 public:
  struct Match {
    Token token = kNoToken;
    std::size_t size = 0;  // bytes
  };

  /// What is to be recognised: user-defined tokens always, control and unknown ones if `all`, none of `exclude`.
  struct Filter {
    bool all;
    std::span<Token const> exclude;
  };

  explicit SpecialTokens(Vocabulary const& vocabulary) {
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
      auto const type = vocabulary.types[i];
      if (is_special(type)) add(vocabulary.tokens[i], static_cast<Token>(i), type == TokenType::kUserDefined);
    }
  }

  /// The longest special token that starts at text[pos], or none. At most its length in steps, kMaxSpecialBytes.
  [[nodiscard]] Match match(std::string_view text, std::size_t pos, Filter filter) const {
    Match best;
    if (!starts_[static_cast<unsigned char>(text[pos])]) return best;
    std::uint32_t node = 0;
    for (std::size_t i = pos; i < text.size(); ++i) {
      auto const next = children_.find(edge(node, text[i]));
      if (next == children_.end()) break;
      node = next->second;
      Leaf const leaf = leaves_[node];
      if (leaf.token == kNoToken || !(filter.all || leaf.always)) continue;
      if (std::ranges::find(filter.exclude, leaf.token) != filter.exclude.end()) continue;
      best = {leaf.token, i + 1 - pos};
    }
    return best;
  }

  /// The special token with exactly this text, or kNoToken.
  [[nodiscard]] Token find(std::string_view text) const {
    std::uint32_t node = 0;
    for (char const c : text) {
      auto const next = children_.find(edge(node, c));
      if (next == children_.end()) return kNoToken;
      node = next->second;
    }
    return leaves_[node].token;
  }

 private:
  struct Leaf {
    Token token = kNoToken;
    bool always = false;
  };

  static std::uint64_t edge(std::uint32_t node, char c) {
    return std::uint64_t{node} << 8 | static_cast<unsigned char>(c);
  }

  void add(std::string_view text, Token token, bool always) {
    if (text.empty()) return;
    starts_[static_cast<unsigned char>(text[0])] = true;
    std::uint32_t node = 0;
    for (char const c : text) {
      auto const [place, is_new] = children_.emplace(edge(node, c), static_cast<std::uint32_t>(leaves_.size()));
      if (is_new) leaves_.emplace_back();
      node = place->second;
    }
    if (leaves_[node].token == kNoToken) leaves_[node] = {token, always};
  }

  std::array<bool, 256> starts_{};
  std::vector<Leaf> leaves_{1};  // of the node with the same number; 0 is the root
  std::unordered_map<std::uint64_t, std::uint32_t> children_;
};

}  // namespace lamina::inline v0_1::detail
