// What each host does with lamina: every table of the CPU sums 32 products.
#pragma once

#include <cstdint>

#include "lamina/kernels/dispatch.hpp"

inline bool lamina_works() {
  lamina::QuantizedBlock<1> x{};
  for (int i = 0; i < 32; ++i) x.q[i / 4][0][i % 4] = static_cast<std::int8_t>(i);
  x.scale[0] = 1.0F;
  x.minus_8_sum[0] = -8 * 496;
  lamina::quant::Q8_0::PanelBlock panel{};
  lamina::quant::Q8_0::Block block{lamina::to_half(2.0F), {}};
  for (auto& w : block.q) w = 3;
  lamina::quant::Q8_0::pack(block, 5, panel);
  lamina::PackedView const w{lamina::Format::kQ8_0, reinterpret_cast<std::byte const*>(&panel), 16, 32, sizeof panel};
  for (lamina::KernelTable const* table : lamina::available_kernels()) {
    float y[16];
    table->matmul(w, 0, 1, {{}, {reinterpret_cast<std::byte*>(&x), 1, 32}}, lamina::MatrixView<float>(y, 1, 16),
                  lamina::Epilogue::kStore);
    for (int i = 0; i < 16; ++i) {
      if (y[i] != (i == 5 ? 2.0F * 3.0F * 496.0F : 0.0F)) return false;
    }
  }
  return true;
}
