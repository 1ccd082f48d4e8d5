// All weight formats: their facts at run time, their names, and the step from a run-time Format to its struct.
//
// To add a format: a header like q4_0.hpp, a value of Format, a line in visit_format and one in kFormats; and a struct
// of steps in kernels/steps-inl.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lamina/core/error.hpp"
#include "lamina/quant/bf16.hpp"
#include "lamina/quant/f16.hpp"
#include "lamina/quant/f32.hpp"
#include "lamina/quant/format.hpp"
#include "lamina/quant/q4_0.hpp"
#include "lamina/quant/q4_k.hpp"
#include "lamina/quant/q6_k.hpp"
#include "lamina/quant/q8_0.hpp"

namespace lamina::inline v0_1 {

/// A format's facts.
struct FormatTraits {
  Format format;
  std::string_view name;          // "Q4_0"
  std::size_t block;              // weights per block
  std::size_t block_bytes;        // of one block of a row, as GGUF stores it
  std::size_t panel_block_bytes;  // of one block of 16 rows
  bool quantized;                 // multiplies int8 activations; else float
};

namespace detail {
template <WeightFormat F>
inline constexpr FormatTraits kTraits{
    F::kFormat, F::kName, F::kBlock, sizeof(typename F::Block), sizeof(typename F::PanelBlock), F::kQuantized};
}  // namespace detail

/// Every format that lamina reads.
inline constexpr std::array kFormats{detail::kTraits<quant::F32>,  detail::kTraits<quant::F16>,
                                     detail::kTraits<quant::BF16>, detail::kTraits<quant::Q8_0>,
                                     detail::kTraits<quant::Q4_0>, detail::kTraits<quant::Q6_K>,
                                     detail::kTraits<quant::Q4_K>};

/// Calls f.operator()<F>() with the format's struct: visit_format(format, [&]<WeightFormat F>() { ... }).
/// Precondition: format is one of the enumerators.
template <class Visitor>
constexpr decltype(auto) visit_format(Format format, Visitor&& f) {
  switch (format) {
    case Format::kF16: return std::forward<Visitor>(f).template operator()<quant::F16>();
    case Format::kBF16: return std::forward<Visitor>(f).template operator()<quant::BF16>();
    case Format::kQ8_0: return std::forward<Visitor>(f).template operator()<quant::Q8_0>();
    case Format::kQ4_0: return std::forward<Visitor>(f).template operator()<quant::Q4_0>();
    case Format::kQ4_K: return std::forward<Visitor>(f).template operator()<quant::Q4_K>();
    case Format::kQ6_K: return std::forward<Visitor>(f).template operator()<quant::Q6_K>();
    case Format::kF32: break;
  }
  return std::forward<Visitor>(f).template operator()<quant::F32>();
}

/// Precondition: format is one of the enumerators.
constexpr FormatTraits const& traits(Format format) noexcept {
  return *visit_format(format, []<WeightFormat F>() { return &detail::kTraits<F>; });
}

/// The format with that number in GGUF, or nothing where lamina does not read it.
constexpr std::optional<Format> format_of(std::uint32_t ggml_type) noexcept {
  for (FormatTraits const& t : kFormats) {
    if (static_cast<std::uint32_t>(t.format) == ggml_type) return t.format;
  }
  return std::nullopt;
}

/// The format of that name, upper or lower case. Throws Error{kInvalidArgument} that names it and lists the known ones.
inline Format format_named(std::string_view name) {
  auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  auto const same = [&](std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
  };
  std::string names;
  for (FormatTraits const& t : kFormats) {
    if (same(t.name, name)) return t.format;
    names.append(names.empty() ? "" : ", ").append(t.name);
  }
  fail(Errc::kInvalidArgument, "weight format '", name, "' is not known; there are: ", names);
}

/// Bytes of one row of `cols` weights as GGUF stores it. Precondition: the format's block divides cols.
constexpr std::size_t row_bytes(Format format, std::size_t cols) noexcept {
  return cols / traits(format).block * traits(format).block_bytes;
}

}  // namespace lamina::inline v0_1
