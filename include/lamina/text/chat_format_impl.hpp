// The chat formats: each a struct that writes a conversation; ChatFormat chooses among them. See compiled.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/token.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/text/chat_format.hpp"
#include "lamina/text/tokenizer.hpp"

namespace lamina::inline v0_1 {

namespace detail {

/// Collects a conversation: markers, which become special tokens, and text between them, which does not.
class ChatWriter {
 public:
  /// `after_text`: the first text continues an answer, so that no space goes before it.
  ChatWriter(Tokenizer const& tokenizer, ChatDefaults const& defaults, std::span<Token const> markers, bool after_text)
      : tokenizer_(tokenizer), defaults_(defaults), markers_(markers), continues_(after_text) {}

  [[nodiscard]] ChatDefaults const& defaults() const { return defaults_; }

  void text(std::string_view part) { run_ += part; }

  /// A marker; as plain text where the vocabulary has no such token.
  void marker(std::string_view text) {
    Token const token = tokenizer_.special(text);
    token == kNoToken ? this->text(text) : this->token(token);
  }

  /// Nothing for kNoToken.
  void token(Token token) {
    if (token == kNoToken) return;
    end_run();
    out_.push_back(token);
    continues_ = false;
  }
  void bos() { token(tokenizer_.bos()); }
  void bos_if_asked() { token(tokenizer_.vocabulary().add_bos ? tokenizer_.bos() : kNoToken); }
  void eos() { token(tokenizer_.eos()); }

  std::vector<Token> finish() {
    end_run();
    return std::move(out_);
  }

 private:
  void end_run() {
    if (run_.empty()) return;
    auto const ids = tokenizer_.encode(
        run_, {.add_bos = false, .parse_special = false, .space_prefix = !continues_, .exclude = markers_});
    out_.insert(out_.end(), ids.begin(), ids.end());
    run_.clear();
    continues_ = true;
  }

  Tokenizer const& tokenizer_;
  ChatDefaults const& defaults_;
  std::span<Token const> markers_;
  bool continues_;
  std::string run_;
  std::vector<Token> out_;
};

/// The text without white space at its ends, as Jinja's trim and Python's strip.
constexpr std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  std::size_t const first = text.find_first_not_of(kSpace);
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

using Messages = std::span<ChatMessage const>;

inline bool starts_with_system(Messages messages) {
  return !messages.empty() && messages.front().role == Role::kSystem;
}

/// ChatML, of OpenAI; Qwen, SmolLM, Yi and many others: <|im_start|>role\ncontent<|im_end|>\n
struct ChatMl {
  static constexpr std::string_view kName = "chatml";
  static constexpr std::string_view kSign = "<|im_start|>";  // in a template, or among the special tokens
  static constexpr std::string_view kMarkers[] = {"<|im_start|>", "<|im_end|>"};
  static constexpr std::string_view kStop = "<|im_end|>";

  static void begin(ChatWriter& writer, Messages messages) {
    writer.bos_if_asked();
    std::string_view const system = writer.defaults().system;
    if (!starts_with_system(messages) && !system.empty()) message(writer, Role::kSystem, system);
    turns(writer, messages);
  }
  static void turns(ChatWriter& writer, Messages messages) {
    for (auto const& m : messages) message(writer, m.role, m.content);
    header(writer, Role::kAssistant);
  }
  static void end_answer(ChatWriter& writer) {
    writer.marker("<|im_end|>");
    writer.text("\n");
  }

 private:
  static void header(ChatWriter& writer, Role role) {
    writer.marker("<|im_start|>");
    writer.text(to_string(role));
    writer.text("\n");
  }
  static void message(ChatWriter& writer, Role role, std::string_view content) {
    header(writer, role);
    writer.text(content);
    end_answer(writer);
  }
};

/// Llama 3, of Meta: <|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>
struct Llama3Chat {
  static constexpr std::string_view kName = "llama3";
  static constexpr std::string_view kSign = "<|start_header_id|>";
  static constexpr std::string_view kMarkers[] = {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
                                                  "<|eot_id|>"};
  static constexpr std::string_view kStop = "<|eot_id|>";

  static void begin(ChatWriter& writer, Messages messages) {
    writer.bos();
    std::string const& preamble = writer.defaults().system_preamble;
    if (!preamble.empty()) {
      std::string system = preamble;
      if (starts_with_system(messages)) {
        system += trim(messages.front().content);
        messages = messages.subspan(1);
      }
      header(writer, Role::kSystem);
      writer.text(system);
      end_answer(writer);
    }
    turns(writer, messages);
  }
  static void turns(ChatWriter& writer, Messages messages) {
    for (auto const& m : messages) {
      header(writer, m.role);
      writer.text(trim(m.content));
      end_answer(writer);
    }
    header(writer, Role::kAssistant);
  }
  static void end_answer(ChatWriter& writer) { writer.marker("<|eot_id|>"); }

 private:
  static void header(ChatWriter& writer, Role role) {
    writer.marker("<|start_header_id|>");
    writer.text(to_string(role));
    writer.marker("<|end_header_id|>");
    writer.text("\n\n");
  }
};

/// Llama 2, of Meta: <s>[INST] <<SYS>>\nsystem\n<</SYS>>\n\nuser [/INST] answer </s>
/// [INST] and <<SYS>> are no tokens; a system message belongs to the user's message that follows it.
struct Llama2Chat {
  static constexpr std::string_view kName = "llama2";
  static constexpr std::string_view kSign = "<<SYS>>";  // [INST] alone is Mistral's layout, which differs
  static constexpr std::string_view kMarkers[] = {"<s>", "</s>"};
  static constexpr std::string_view kStop = "</s>";

  static void begin(ChatWriter& writer, Messages messages) { turns(writer, messages); }
  static void turns(ChatWriter& writer, Messages messages) {
    std::string_view system;
    for (auto const& m : messages) {
      if (m.role == Role::kSystem) {
        system = m.content;
      } else if (m.role == Role::kUser) {
        user(writer, std::exchange(system, {}), m.content);
      } else {
        writer.text(" ");
        writer.text(trim(m.content));
        end_answer(writer);
      }
    }
    if (!system.empty()) user(writer, system, {});
  }
  static void end_answer(ChatWriter& writer) {
    writer.text(" ");
    writer.eos();
  }

 private:
  static void user(ChatWriter& writer, std::string_view system, std::string_view content) {
    std::string text;
    if (!system.empty()) text.append("<<SYS>>\n").append(system).append("\n<</SYS>>\n\n");
    text += content;
    writer.bos();
    writer.text("[INST] ");
    writer.text(trim(text));
    writer.text(" [/INST]");
  }
};

/// A format as data, for the choice at run time.
struct ChatLayout {
  std::string_view name;
  std::string_view sign;
  std::span<std::string_view const> markers;
  std::string_view stop;
  void (*begin)(ChatWriter&, Messages);  // from the start of a conversation to the start of an answer
  void (*turns)(ChatWriter&, Messages);  // from after an answer to the start of the next
  void (*end_answer)(ChatWriter&);       // ends the answer that the model gave
};

template <class Layout>
constexpr ChatLayout chat_layout() {
  return {Layout::kName,  Layout::kSign,  Layout::kMarkers,   Layout::kStop,
          &Layout::begin, &Layout::turns, &Layout::end_answer};
}

/// All formats, in the order in which they are looked for.
inline constexpr ChatLayout kChatLayouts[] = {chat_layout<ChatMl>(), chat_layout<Llama3Chat>(),
                                              chat_layout<Llama2Chat>()};

/// The system message that a ChatML template writes where a conversation brings none: the literal text between
/// "<|im_start|>system\n" and "<|im_end|>", if there is one without quotes in it.
inline std::string default_system(std::string_view chat_template) {
  constexpr std::string_view kEnd = "<|im_end|>";
  for (std::string_view const start : {"<|im_start|>system\\n", "<|im_start|>system\n"}) {
    for (std::size_t at = 0; (at = chat_template.find(start, at)) != chat_template.npos;) {
      at += start.size();
      auto const text = chat_template.substr(at, std::min(chat_template.find(kEnd, at), chat_template.size()) - at);
      if (!text.empty() && text.find_first_of("'\"{}\\") == text.npos) return std::string(text);
    }
  }
  return {};
}

/// Llama 3.1 and later put two dates before the system message. The second is the template's own default: a layout must
/// not depend on the clock.
inline std::string date_preamble(std::string_view chat_template) {
  if (chat_template.find("Cutting Knowledge Date: December 2023") == chat_template.npos) return {};
  return "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
}

}  // namespace detail

LAMINA_INLINE ChatFormat ChatFormat::detect(Tokenizer tokenizer) {
  auto const& vocabulary = tokenizer.vocabulary();
  for (auto const& layout : detail::kChatLayouts) {
    bool const fits = vocabulary.chat_template.empty()
                          ? tokenizer.special(layout.sign) != kNoToken
                          : vocabulary.chat_template.find(layout.sign) != std::string::npos;
    if (fits) return ChatFormat(layout, std::move(tokenizer));
  }
  fail(Errc::kUnsupported, vocabulary.source, ": key 'tokenizer.chat_template' ",
       vocabulary.chat_template.empty() ? "is missing and the special tokens fit no chat format"
                                        : "fits no chat format: '" + detail::printable(vocabulary.chat_template) + "'",
       "; known are ", names());
}

LAMINA_INLINE ChatFormat ChatFormat::named(std::string_view name, Tokenizer tokenizer) {
  for (auto const& layout : detail::kChatLayouts) {
    if (layout.name == name) return ChatFormat(layout, std::move(tokenizer));
  }
  fail(Errc::kInvalidArgument, "chat format '", detail::printable(name), "' is unknown, expected one of ", names());
}

LAMINA_INLINE std::string ChatFormat::names() {
  std::string all;
  for (auto const& layout : detail::kChatLayouts) all.append(all.empty() ? "" : ", ").append(layout.name);
  return all;
}

LAMINA_INLINE std::string_view ChatFormat::name() const noexcept { return layout_->name; }

LAMINA_INLINE std::vector<Token> ChatFormat::begin(std::span<ChatMessage const> messages) const {
  detail::ChatWriter writer(tokenizer_, defaults_, markers_, false);
  layout_->begin(writer, messages);
  return writer.finish();
}

LAMINA_INLINE std::vector<Token> ChatFormat::proceed(std::span<ChatMessage const> messages) const {
  detail::ChatWriter writer(tokenizer_, defaults_, markers_, true);
  layout_->end_answer(writer);
  layout_->turns(writer, messages);
  return writer.finish();
}

LAMINA_INLINE ChatFormat::ChatFormat(detail::ChatLayout const& layout, Tokenizer tokenizer)
    : layout_(&layout), tokenizer_(std::move(tokenizer)) {
  auto const& vocabulary = tokenizer_.vocabulary();
  defaults_ = {detail::default_system(vocabulary.chat_template), detail::date_preamble(vocabulary.chat_template)};
  for (std::string_view const marker : layout.markers) {
    if (Token const token = tokenizer_.special(marker); token != kNoToken) markers_.push_back(token);
  }
  Token const stop = tokenizer_.special(layout.stop);
  if (stop == kNoToken) {
    stop_strings_.emplace_back(layout.stop);
  } else {
    stop_tokens_.push_back(stop);
  }
  if (tokenizer_.eos() != kNoToken && tokenizer_.eos() != stop) stop_tokens_.push_back(tokenizer_.eos());
}

}  // namespace lamina::inline v0_1
