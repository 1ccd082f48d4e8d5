// Errors: one exception type with a code for programs and a message for people.
//
// Raised at load, at configuration and at the public border of a step. Hot paths below that border are noexcept.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace lamina::inline v0_1 {

/// What went wrong, for programs.
enum class Errc : std::uint8_t {
  kIo,               // the operating system refused to open, map or write
  kCorrupt,          // bytes that contradict their file format or themselves
  kUnsupported,      // well formed, but a version, type, tokenizer or architecture that lamina lacks
  kMissing,          // a required key or tensor is absent
  kShape,            // dimensions disagree with each other or with the configuration
  kInvalidArgument,  // an argument or option outside its domain
  kTokenOutOfRange,  // a token id that is not in the vocabulary
  kContextFull,      // no room left in the KV cache
  kNotFinite,        // NaN or infinity among the logits, or among weights that are to be converted
  kCancelled,        // the caller's stop_token was triggered
};

/// The code's name without the `k`, for logs: "Corrupt".
constexpr std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::kIo: return "Io";
    case Errc::kCorrupt: return "Corrupt";
    case Errc::kUnsupported: return "Unsupported";
    case Errc::kMissing: return "Missing";
    case Errc::kShape: return "Shape";
    case Errc::kInvalidArgument: return "InvalidArgument";
    case Errc::kTokenOutOfRange: return "TokenOutOfRange";
    case Errc::kContextFull: return "ContextFull";
    case Errc::kNotFinite: return "NotFinite";
    case Errc::kCancelled: return "Cancelled";
  }
  return "Unknown";
}

/// The library's only exception. what() names the file, key, tensor or argument at fault.
class Error : public std::runtime_error {
 public:
  Error(Errc code, std::string const& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] Errc code() const noexcept { return code_; }

 private:
  Errc code_;
};

namespace detail {

/// A part of a message, of any type that a stream takes. It hides the type, so that the dozens of messages in a program
/// share one function instead of having one each: that was a tenth of a compilation.
class MessagePart {
 public:
  template <class T>
  MessagePart(T const& value) noexcept  // NOLINT(google-explicit-constructor)
      : value_(static_cast<void const*>(std::addressof(value))),
        append_([](std::ostream& out, void const* v) { out << *static_cast<T const*>(v); }) {}
  MessagePart(char const* text) noexcept  // NOLINT(google-explicit-constructor)
      : value_(text), append_([](std::ostream& out, void const* v) { out << static_cast<char const*>(v); }) {}

  void append_to(std::ostream& out) const { append_(out, value_); }

 private:
  void const* value_;
  void (*append_)(std::ostream& out, void const* value);
};

[[noreturn]] void fail_with(Errc code, std::initializer_list<MessagePart> parts);

}  // namespace detail

/// Throws Error with the parts streamed one after the other:
/// `fail(Errc::kShape, path, ": tensor '", name, "' has ", rows, " rows, expected ", expected)`.
template <class... Parts>
[[noreturn]] void fail(Errc code, Parts const&... parts) {
  detail::fail_with(code, {parts...});
}

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/core/error_impl.hpp"
#endif
