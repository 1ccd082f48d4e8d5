// Independent implementations to compare with: xsimd for the elementwise kernels, Eigen for the float product. Compiled
// for the very CPU of the build (-march=native), as a program that only runs there would be; single-threaded, with no
// fixed order of addition.
//
// This header holds no code and baselines.cpp includes nothing of lamina, so that nothing compiled for this CPU alone
// stands in for the same inline function elsewhere in the program.
#pragma once

#include <cstddef>

namespace lamina::bench::baseline {

void xsimd_rms_norm(float const* x, float const* weight, float eps, float* y, std::size_t n);
void xsimd_silu_gate(float* gate, float const* up, std::size_t n);
void xsimd_softmax(float* x, std::size_t n);

/// y[n, rows] = x[n, cols] times the transpose of w[rows, cols].
void eigen_product(float const* w, std::size_t rows, std::size_t cols, float const* x, std::size_t n, float* y);

}  // namespace lamina::bench::baseline
