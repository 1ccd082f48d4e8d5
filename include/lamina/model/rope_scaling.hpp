// RoPE's frequencies for one model: the base's geometric series, stretched as the checkpoint says.
//
// Three sources, as found in GGUF files: `rope.scaling.*` keys (none, linear, llama3), the older `rope.scale_linear`,
// and a tensor `rope_freqs.weight` of divisors, in which llama.cpp's converter stores the llama3 scaling worked out.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "lamina/io/metadata.hpp"
#include "lamina/kernels/kernel_table.hpp"

namespace lamina::inline v0_1 {

/// Reads "<architecture>.rope.scaling.*". Throws Error naming file and key: kUnsupported for a kind other than none,
/// linear and llama3, kShape for a factor that is not positive or bounds out of order.
RopeScaling read_rope_scaling(Metadata const& metadata, std::string_view architecture, std::size_t n_ctx_train);

/// inv_freq, [rope_dim / 2]. `divisors` (may be empty) has one entry each and replaces the llama3 formula, whose result
/// it holds. All arithmetic is the kernels', so a host's floating-point flags cannot reach it.
std::vector<double> rope_frequencies(KernelTable const& kernels, double base, std::size_t rope_dim,
                                     RopeScaling const& scaling, std::span<float const> divisors);

}  // namespace lamina::inline v0_1

#if !defined(LAMINA_COMPILED_KERNELS)
#include "lamina/model/rope_scaling_impl.hpp"
#endif
