// Quantizers: quant::AsStored, and quant::F32 .. quant::Q4_K, which convert at load. See keep_as.hpp for the concept.
#pragma once

#include "lamina/quant/formats.hpp"
#include "lamina/quant/keep_as.hpp"

namespace lamina::inline v0_1 {

static_assert(Quantizer<quant::AsStored> && Quantizer<quant::F32> && Quantizer<quant::F16> && Quantizer<quant::BF16> &&
              Quantizer<quant::Q8_0> && Quantizer<quant::Q4_0> && Quantizer<quant::Q6_K> && Quantizer<quant::Q4_K>);

namespace quant {

/// The choice of KeepAs for a target known at run time: `target` where its block divides cols, else the stored format.
constexpr Format choose(Format target, Format stored, std::size_t cols) noexcept {
  return cols % traits(target).block == 0 ? target : stored;
}

}  // namespace quant
}  // namespace lamina::inline v0_1
