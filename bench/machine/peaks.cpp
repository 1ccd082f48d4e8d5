// Arithmetic peaks: for each instruction set, as many independent chains of its multiply-add as hide the latency.
#include <algorithm>
#include <cstddef>

#include "bench/machine.hpp"
#include "lamina/kernels/cpu.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace lamina::bench {
namespace {

/// Chains of dependent operations that run side by side: latency 4 to 5 times 2 a cycle needs 10, and 12 with the two
/// operands and a product still fit 16 registers.
constexpr int kChains = 12;

/// One instruction set's loop and the operations in one step of one chain.
struct Peak {
  void (*run)(std::size_t steps) = nullptr;  // each step advances every chain once
  double ops_per_step = 0;                   // of one chain
};

// Defines `void NAME(steps)`, which runs kChains chains of `acc = STEP` with operands `a` and `b`. The empty asm makes
// `a` look new in each step, or the compiler would hoist a product of two constants out of the loop, and keeps each
// result alive. The accumulators are named one by one, since GCC 12 keeps an array of them in memory.
// NOLINTBEGIN(bugprone-macro-parentheses): the arguments are types and attributes
#define LAMINA_BENCH_CHAINS(NAME, ATTRIBUTE, VECTOR, REGISTER, STEP)                            \
  [[gnu::always_inline]] ATTRIBUTE inline void NAME##_step(VECTOR& acc, VECTOR& a, VECTOR& b) { \
    __asm__ volatile("" : "+" REGISTER(a), "+" REGISTER(acc));                                  \
    acc = STEP;                                                                                 \
  }                                                                                             \
  ATTRIBUTE void NAME(std::size_t steps) {                                                      \
    VECTOR a = {}, b = {};                                                                      \
    VECTOR c0 = {}, c1 = {}, c2 = {}, c3 = {}, c4 = {}, c5 = {};                                \
    VECTOR c6 = {}, c7 = {}, c8 = {}, c9 = {}, c10 = {}, c11 = {};                              \
    __asm__ volatile("" : "+" REGISTER(b));                                                     \
    for (std::size_t i = 0; i < steps; ++i) {                                                   \
      NAME##_step(c0, a, b), NAME##_step(c1, a, b), NAME##_step(c2, a, b);                      \
      NAME##_step(c3, a, b), NAME##_step(c4, a, b), NAME##_step(c5, a, b);                      \
      NAME##_step(c6, a, b), NAME##_step(c7, a, b), NAME##_step(c8, a, b);                      \
      NAME##_step(c9, a, b), NAME##_step(c10, a, b), NAME##_step(c11, a, b);                    \
    }                                                                                           \
  }
// NOLINTEND(bugprone-macro-parentheses)

#if defined(__x86_64__)

#define LAMINA_BENCH_ISA(isa) __attribute__((target(isa)))

LAMINA_BENCH_CHAINS(integer_sse4, LAMINA_BENCH_ISA("sse4.1,ssse3"), __m128i, "x",
                    _mm_add_epi16(acc, _mm_maddubs_epi16(a, b)))
LAMINA_BENCH_CHAINS(integer_avx2, LAMINA_BENCH_ISA("avx2"), __m256i, "x",
                    _mm256_add_epi16(acc, _mm256_maddubs_epi16(a, b)))
LAMINA_BENCH_CHAINS(integer_avx3, LAMINA_BENCH_ISA("avx512f,avx512bw"), __m512i, "v",
                    _mm512_add_epi16(acc, _mm512_maddubs_epi16(a, b)))
LAMINA_BENCH_CHAINS(integer_avx3_dl, LAMINA_BENCH_ISA("avx512f,avx512vnni"), __m512i, "v",
                    _mm512_dpbusd_epi32(acc, a, b))
LAMINA_BENCH_CHAINS(float_sse4, LAMINA_BENCH_ISA("sse4.1"), __m128, "x", _mm_add_ps(acc, _mm_mul_ps(a, b)))
LAMINA_BENCH_CHAINS(float_avx2, LAMINA_BENCH_ISA("avx2,fma"), __m256, "x", _mm256_fmadd_ps(a, b, acc))
LAMINA_BENCH_CHAINS(float_avx3, LAMINA_BENCH_ISA("avx512f"), __m512, "v", _mm512_fmadd_ps(a, b, acc))

LAMINA_BENCH_CHAINS(float_avx3_bf16, LAMINA_BENCH_ISA("avx512f,avx512bf16"), __m512, "v",
                    _mm512_dpbf16_ps(acc, (__m512bh)a, (__m512bh)b))

Peak integer_peak_of(Target target) {
  switch (target) {
    case Target::kSse4: return {integer_sse4, 32};
    case Target::kAvx2: return {integer_avx2, 64};
    case Target::kAvx3: return {integer_avx3, 128};
    case Target::kAvx3Dl:
    case Target::kAvx3Zen4:
    case Target::kAvx3Bf16: return {integer_avx3_dl, 128};
    default: return {};
  }
}

Peak float_peak_of(Target target) {
  switch (target) {
    case Target::kSse4: return {float_sse4, 8};
    case Target::kAvx2: return {float_avx2, 16};
    case Target::kAvx3:
    case Target::kAvx3Dl:
    case Target::kAvx3Zen4: return {float_avx3, 32};
    case Target::kAvx3Bf16: return {float_avx3_bf16, 64};
    default: return {};
  }
}

#elif defined(__aarch64__)

#define LAMINA_BENCH_ISA(isa) __attribute__((target(isa)))

LAMINA_BENCH_CHAINS(integer_neon, , int16x8_t, "w",
                    vmlal_s8(acc, vget_low_s8(vreinterpretq_s8_s16(a)), vget_low_s8(vreinterpretq_s8_s16(b))))
LAMINA_BENCH_CHAINS(integer_dotprod, LAMINA_BENCH_ISA("arch=armv8.2-a+dotprod"), int32x4_t, "w",
                    vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)))
LAMINA_BENCH_CHAINS(integer_i8mm, LAMINA_BENCH_ISA("arch=armv8.2-a+i8mm"), int32x4_t, "w",
                    vmmlaq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)))
LAMINA_BENCH_CHAINS(float_neon, , float32x4_t, "w", vfmaq_f32(acc, a, b))

Peak integer_peak_of(Target target) {
  switch (target) {
    case Target::kNeon: return {integer_neon, 16};
    case Target::kNeonDotProd: return {integer_dotprod, 32};
    case Target::kNeonI8mm: return {integer_i8mm, 64};
    default: return {};
  }
}

Peak float_peak_of(Target) { return {float_neon, 8}; }

#else

Peak integer_peak_of(Target) { return {}; }
Peak float_peak_of(Target) { return {}; }

#endif

double measure(Target target, Peak const& peak, std::size_t n_threads) {
  if (peak.run == nullptr || !detail::cpu_supports(target)) return 0;
  constexpr std::size_t kSteps = 4'000'000;  // some 10 to 30 ms
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    double const seconds = timed_on_threads(n_threads, [&](std::size_t) { peak.run(kSteps); });
    best = std::max(best, peak.ops_per_step * kChains * static_cast<double>(kSteps * n_threads) / seconds);
  }
  return best;
}

}  // namespace

double measure_integer_peak(Target target, std::size_t n_threads) {
  return measure(target, integer_peak_of(target), n_threads);
}

double measure_float_peak(Target target, std::size_t n_threads) {
  return measure(target, float_peak_of(target), n_threads);
}

}  // namespace lamina::bench
