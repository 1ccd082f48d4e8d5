// How RoPE's scaling is read and applied. See compiled.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lamina/core/compiled.hpp"
#include "lamina/core/error.hpp"
#include "lamina/io/byte_reader.hpp"
#include "lamina/io/metadata.hpp"
#include "lamina/kernels/kernel_table.hpp"
#include "lamina/model/rope_scaling.hpp"

namespace lamina::inline v0_1 {

LAMINA_INLINE RopeScaling read_rope_scaling(Metadata const& metadata, std::string_view architecture,
                                            std::size_t n_ctx_train) {
  std::string const prefix = std::string(architecture) + ".rope.";
  auto const number = [&](std::string_view name, double fallback) {
    std::string const key = prefix + std::string(name);
    double const value = metadata.get<double>(key).value_or(fallback);
    if (!(value >= 1e-6 && value <= 1e9)) {
      fail(Errc::kShape, metadata.source(), ": key '", key, "' is ", value, ", expected a positive number");
    }
    return value;
  };
  RopeScaling scaling;
  std::string const type_key = prefix + "scaling.type";
  auto const type = metadata.get<std::string_view>(type_key);
  if (!type) {
    scaling.factor = number("scale_linear", 1.0);
    if (scaling.factor != 1.0) scaling.kind = RopeScalingKind::kLinear;
    return scaling;
  }
  if (*type == "none") return scaling;
  scaling.factor = number("scaling.factor", 1.0);
  if (*type == "linear") {
    scaling.kind = RopeScalingKind::kLinear;
  } else if (*type == "llama3") {
    scaling.kind = RopeScalingKind::kLlama3;
    scaling.low_freq_factor = number("scaling.low_freq_factor", 1.0);
    scaling.high_freq_factor = number("scaling.high_freq_factor", 4.0);
    std::string const context_key = prefix + "scaling.original_context_length";
    scaling.original_context =
        static_cast<double>(metadata.get<std::uint32_t>(context_key).value_or(static_cast<std::uint32_t>(n_ctx_train)));
    if (scaling.original_context < 1.0 || scaling.low_freq_factor >= scaling.high_freq_factor) {
      fail(Errc::kShape, metadata.source(), ": key '", prefix,
           "scaling.low_freq_factor' is not below high_freq_factor, or original_context_length is 0");
    }
  } else {
    fail(Errc::kUnsupported, metadata.source(), ": key '", type_key, "' is '", detail::printable(*type),
         "', known are none, linear and llama3");
  }
  return scaling;
}

LAMINA_INLINE std::vector<double> rope_frequencies(KernelTable const& kernels, double base, std::size_t rope_dim,
                                                   RopeScaling const& scaling, std::span<float const> divisors) {
  std::vector<double> inv_freq(rope_dim / 2);
  kernels.rope_frequencies(base, rope_dim, inv_freq);
  if (divisors.empty() || scaling.kind != RopeScalingKind::kLlama3) kernels.rope_scale(scaling, inv_freq);
  for (std::size_t i = 0; i < divisors.size(); ++i) {
    RopeScaling const divide{.kind = RopeScalingKind::kLinear, .factor = static_cast<double>(divisors[i])};
    kernels.rope_scale(divide, std::span(inv_freq).subspan(i, 1));
  }
  return inv_freq;
}

}  // namespace lamina::inline v0_1
