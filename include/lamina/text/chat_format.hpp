// ChatFormat: messages to token ids, in the layout that a model was trained on.
//
// Formats: ChatML, Llama 2, Llama 3. Where others go: one more struct beside these, and its line in the table.
// Only the format's own markers become special tokens. What a user types never does, so nobody can forge a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/text/tokenizer.hpp"

namespace lamina::inline v0_1 {

enum class Role : std::uint8_t { kSystem, kUser, kAssistant };

struct ChatMessage {
  Role role;
  std::string content;
};

class ChatFormat {
 public:
  /// Chooses by the file's chat template and special tokens. The tokenizer must outlive the format.
  /// Throws Error{kUnsupported} that names the file where no format fits.
  static ChatFormat detect(Tokenizer const& tokenizer);

  /// By name: "chatml", "llama2", "llama3". Throws Error{kInvalidArgument} that lists the names.
  static ChatFormat named(std::string_view name, Tokenizer const& tokenizer);

  std::string_view name() const noexcept;

  /// A conversation from its beginning (BOS included) to the point where the assistant's answer starts.
  std::vector<Token> begin(std::span<ChatMessage const> messages) const;

  /// What follows the assistant's answer: the end of its turn, the new messages, the start of the next answer.
  /// The sequence must end with the answer's own last token, without the stop token, which this adds:
  /// begin(all) == begin(first) + encoded answer + proceed(rest).
  std::vector<Token> proceed(std::span<ChatMessage const> messages) const;

  /// Tokens that end an answer.
  std::span<Token const> stop_tokens() const noexcept;

  /// Text that ends an answer, for a vocabulary that lacks the format's markers as tokens. Mostly empty.
  std::span<std::string const> stop_strings() const noexcept;
};

}  // namespace lamina::inline v0_1
