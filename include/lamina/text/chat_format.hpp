// ChatFormat: messages to token ids, in the layout that a model was trained on.
//
//   ChatFormat const format = ChatFormat::detect(tokenizer);
//   auto ids = format.begin({{Role::kSystem, "Be brief."}, {Role::kUser, "Hello!"}});   // then generate the answer
//   ids = format.proceed({{Role::kUser, "And now?"}});                                  // only what the new turn adds
//
// Formats: ChatML, Llama 2, Llama 3. Another one is a struct beside those of chat_format_impl.hpp and its
// line in detail::kChatLayouts there. Only a layout's own markers become special tokens: what a user types never does,
// so nobody can forge a turn.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/token.hpp"
#include "lamina/text/tokenizer.hpp"

namespace lamina::inline v0_1 {

enum class Role : std::uint8_t { kSystem, kUser, kAssistant };

struct ChatMessage {
  Role role = Role::kUser;
  std::string content;
};

constexpr std::string_view to_string(Role role) noexcept {
  return role == Role::kSystem ? "system" : role == Role::kUser ? "user" : "assistant";
}

namespace detail {

/// What a template gives besides the turns.
struct ChatDefaults {
  std::string system;           // system message of a conversation that brings none; empty: no message
  std::string system_preamble;  // stands before any system message, and brings one about
};

struct ChatLayout;

}  // namespace detail

class ChatFormat {
 public:
  /// Chooses by the file's chat template, or by its special tokens where it has no template.
  /// Throws Error{kUnsupported} that names the file where no format fits.
  static ChatFormat detect(Tokenizer tokenizer);

  /// By name: "chatml", "llama2", "llama3". Throws Error{kInvalidArgument} that lists the names.
  static ChatFormat named(std::string_view name, Tokenizer tokenizer);

  /// The names of all formats, separated by commas.
  static std::string names();

  [[nodiscard]] std::string_view name() const noexcept;

  /// A conversation from its beginning (BOS included) to the point where the assistant's answer starts.
  [[nodiscard]] std::vector<Token> begin(std::span<ChatMessage const> messages) const;
  [[nodiscard]] std::vector<Token> begin(std::initializer_list<ChatMessage> messages) const {
    return begin(std::span(messages.begin(), messages.size()));
  }

  /// What follows the assistant's answer: the end of its turn, the new messages, the start of the next answer.
  /// The sequence must end with the answer's own last token, without the stop token, which this adds.
  [[nodiscard]] std::vector<Token> proceed(std::span<ChatMessage const> messages) const;
  [[nodiscard]] std::vector<Token> proceed(std::initializer_list<ChatMessage> messages) const {
    return proceed(std::span(messages.begin(), messages.size()));
  }

  /// Tokens that end an answer; so do those of Tokenizer::ends_generation.
  [[nodiscard]] std::span<Token const> stop_tokens() const noexcept { return stop_tokens_; }

  /// Text that ends an answer: the format's end marker, for a vocabulary in which it is no token. Mostly empty.
  [[nodiscard]] std::span<std::string const> stop_strings() const noexcept { return stop_strings_; }

 private:
  ChatFormat(detail::ChatLayout const& layout, Tokenizer tokenizer);

  detail::ChatLayout const* layout_;
  Tokenizer tokenizer_;
  detail::ChatDefaults defaults_;
  std::vector<Token> markers_;
  std::vector<Token> stop_tokens_;
  std::vector<std::string> stop_strings_;
};

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/text/chat_format_impl.hpp"
#endif
