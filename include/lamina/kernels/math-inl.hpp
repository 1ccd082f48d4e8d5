// exp, sum16, half-precision loads and the ladder of vector lengths for every instruction set.
//
// The same operations in the same order as reference_math.hpp, so that lanes hold the same bits. On targets without FMA
// hn::MulAdd rounds twice.

#if defined(LAMINA_KERNELS_MATH_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)  // visible once per pass
#ifdef LAMINA_KERNELS_MATH_INL_HPP
#undef LAMINA_KERNELS_MATH_INL_HPP
#else
#define LAMINA_KERNELS_MATH_INL_HPP
#endif

// Before every loop over an array of registers: GCC 12 at -O2 else leaves the array in memory, at a third of the speed.
#ifndef LAMINA_UNROLL
#ifdef __clang__
#define LAMINA_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LAMINA_UNROLL _Pragma("GCC unroll 16")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Whose habits a kernel is cut for, where CPUs with the same instructions differ. The results are the same.
enum class Core : std::uint8_t { kAny, kZen4 };

/// A register of the target, at most 16 lanes: sum16 asks for no more.
using Full = hn::CappedTag<float, 16>;
using Four = hn::FixedTag<float, 4>;

/// Calls body(d, i) for successive runs of Lanes(d) indices that cover [0, n): full registers first, then single
/// lanes, so that nothing beyond n is touched and every element goes through the same operations.
template <class Body>
HWY_INLINE void for_each_run(std::size_t n, Body&& body) {
  Full const full;
  hn::CappedTag<float, 1> const one;
  std::size_t i = 0;
  for (; i + hn::Lanes(full) <= n; i += hn::Lanes(full)) body(full, i);
  for (; i < n; ++i) body(one, i);
}

/// Asks for the lines of n floats that will be written. x86 has an instruction that takes them from other cores' caches
/// at once; GCC emits it for none of our targets, though every CPU that has them executes or ignores it.
HWY_INLINE void ask_to_write(float const* p, std::size_t n) {
  constexpr std::size_t kLine = kAlignment / sizeof(float);
  for (std::size_t i = 0; i < n; i += kLine) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(p[i]));
#else
    __builtin_prefetch(p + i, 1);
#endif
  }
}

/// Rounded once, and not to be fused with an addition that follows. See reference::product.
template <class V>
HWY_INLINE V product(V a, V b) {
  return hn::MulAdd(a, b, hn::Zero(hn::DFromV<V>()));
}

/// exp(x) for x <= kHighest or NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_bounded(D d, V x) {
  using C = reference::ExpConstants;
  hn::RebindToUnsigned<D> const du;
  V const shifted = hn::MulAdd(x, hn::Set(d, C::kLog2E), hn::Set(d, C::kRound));
  V const n = hn::Sub(shifted, hn::Set(d, C::kRound));
  V r = hn::NegMulAdd(n, hn::Set(d, C::kLn2High), x);
  r = hn::NegMulAdd(n, hn::Set(d, C::kLn2Low), r);
  V p = hn::MulAdd(hn::Set(d, C::kPolynomial[0]), r, hn::Set(d, C::kPolynomial[1]));
  p = hn::MulAdd(p, r, hn::Set(d, C::kPolynomial[2]));
  p = hn::MulAdd(p, r, hn::Set(d, C::kPolynomial[3]));
  p = hn::MulAdd(p, r, hn::Set(d, C::kPolynomial[4]));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
  V const power = hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(du, shifted)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, C::kLowest)), hn::Mul(p, power));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp(D d, V x) {
  auto const infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  return hn::IfThenElse(hn::Gt(x, hn::Set(d, reference::ExpConstants::kHighest)), infinity, exp_bounded(d, x));
}

/// Registers that hold 16 partial sums, and those that hold the tokens of a cache block.
inline constexpr std::size_t kSumVectors = 16 / hn::MaxLanes(Full());
inline constexpr std::size_t kBlockVectors = kKvBlock / hn::MaxLanes(Full());

/// The sum of the lanes, halves added until one is left.
template <class D, class V = hn::Vec<D>>
HWY_INLINE float sum_halves(D, V v) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    V const two = hn::Add(v, hn::Shuffle1032(v));
    return hn::GetLane(hn::Add(two, hn::Shuffle2301(two)));
  } else {
    hn::Half<D> const half;
    return sum_halves(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// The lanes of each of four registers reduced to one, in the order of sum_halves: lane i is v[i]'s.
template <class D, class Op>
HWY_INLINE hn::Vec<Four> reduce_four(D, hn::Vec<D> const (&v)[4], Op const& op) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    Four const d;
    auto const low = op(hn::ConcatLowerLower(d, v[1], v[0]), hn::ConcatUpperUpper(d, v[1], v[0]));
    auto const high = op(hn::ConcatLowerLower(d, v[3], v[2]), hn::ConcatUpperUpper(d, v[3], v[2]));
    return op(hn::ConcatEven(d, high, low), hn::ConcatOdd(d, high, low));
  } else {
    hn::Half<D> const d;
    hn::Vec<hn::Half<D>> half[4];
    LAMINA_UNROLL
    for (std::size_t i = 0; i < 4; ++i) half[i] = op(hn::LowerHalf(d, v[i]), hn::UpperHalf(d, v[i]));
    return reduce_four(d, half, op);
  }
}

/// reference::sum16 of partial sums that lie in registers, in order, as far as one register.
HWY_INLINE hn::Vec<Full> sum_registers(hn::Vec<Full> const (&part)[kSumVectors]) {
  if constexpr (kSumVectors == 4) {
    return hn::Add(hn::Add(part[0], part[2]), hn::Add(part[1], part[3]));
  } else if constexpr (kSumVectors == 2) {
    return hn::Add(part[0], part[1]);
  } else {
    return part[0];
  }
}
HWY_INLINE float sum16(hn::Vec<Full> const (&part)[kSumVectors]) { return sum_halves(Full(), sum_registers(part)); }

/// For each of R rows of n numbers sum16 of part[i % 16] = add(part[i % 16], x[i]), which must not change a part where
/// x[i] is 0. Rows side by side: of one alone, each addition waits for the one before.
template <std::size_t R, class Add>
HWY_INLINE void reduce16(float const* const (&x)[R], std::size_t n, Add&& add, float (&sums)[R]) {
  Full const d;
  hn::Vec<Full> part[R][kSumVectors];
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    LAMINA_UNROLL
    for (auto& p : part[r]) p = hn::Zero(d);  // by index, GCC 12.2 at -O3 dies of an internal error for one part
  }
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      LAMINA_UNROLL
      for (std::size_t j = 0; j < kSumVectors; ++j) {
        part[r][j] = add(part[r][j], hn::LoadU(d, x[r] + i + j * hn::Lanes(d)));
      }
    }
  }
  for (std::size_t r = 0; r < R; ++r) {
    if (i < n) {
      HWY_ALIGN float rest[16] = {};
      std::copy(x[r] + i, x[r] + n, rest);
      LAMINA_UNROLL
      for (std::size_t j = 0; j < kSumVectors; ++j) part[r][j] = add(part[r][j], hn::Load(d, rest + j * hn::Lanes(d)));
    }
    sums[r] = sum16(part[r]);
  }
}
/// The same for one row.
template <class Add>
HWY_INLINE float reduce16(std::span<float const> x, Add&& add) {
  float const* const rows[1] = {x.data()};
  float sums[1];
  reduce16(rows, x.size(), add, sums);
  return sums[0];
}

// Half precision in registers. x86 converts from AVX2 on; Highway's emulation for SSE4 (1.0.3) truncates and has no
// infinity, so there the conversion is ours.
#if defined(__aarch64__) || (HWY_TARGET < HWY_SSE4 && !defined(HWY_DISABLE_F16C))

template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, Half const* p) {
  hn::Rebind<std::uint16_t, D> const d16;
  auto const bits = hn::LoadU(d16, reinterpret_cast<std::uint16_t const*>(p));
  return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
}

template <class D>
HWY_INLINE void store_float(D, hn::Vec<D> v, Half* p) {
  hn::Rebind<std::uint16_t, D> const d16;
  auto const half = hn::DemoteTo(hn::Rebind<hwy::float16_t, D>(), v);
  hn::StoreU(hn::BitCast(d16, half), d16, reinterpret_cast<std::uint16_t*>(p));
}

#else

template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, Half const* p) {
  hn::RebindToUnsigned<D> const du;
  auto const bits =
      hn::PromoteTo(du, hn::LoadU(hn::Rebind<std::uint16_t, D>(), reinterpret_cast<std::uint16_t const*>(p)));
  auto const magnitude = hn::ShiftLeft<13>(hn::And(bits, hn::Set(du, 0x7fffu)));
  auto const sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(du, 0x8000u)));
  // The exponent's bias grows by 112; infinity and NaN take the same once more; a subnormal gets an implicit 1, which
  // is then subtracted.
  auto const bias = hn::Set(du, 112u << 23);
  auto const implicit_one = hn::Set(du, 113u << 23);
  auto const normal = hn::Add(magnitude, bias);
  auto const special = hn::Add(normal, bias);
  auto const subnormal =
      hn::BitCast(du, hn::Sub(hn::BitCast(d, hn::Add(magnitude, implicit_one)), hn::BitCast(d, implicit_one)));
  hn::RebindToSigned<D> const di;
  auto const exponent = hn::BitCast(di, hn::ShiftRight<23>(magnitude));
  auto const is_special = hn::RebindMask(du, hn::Eq(exponent, hn::Set(di, 31)));
  auto const is_subnormal = hn::RebindMask(du, hn::Eq(exponent, hn::Zero(di)));
  return hn::BitCast(
      d, hn::Or(sign, hn::IfThenElse(is_subnormal, subnormal, hn::IfThenElse(is_special, special, normal))));
}

template <class D>
HWY_INLINE void store_float(D d, hn::Vec<D> v, Half* p) {
  HWY_ALIGN float lanes[hn::MaxLanes(D())];
  hn::Store(v, d, lanes);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) p[i] = to_half(lanes[i]);
}

#endif

template <class D>
HWY_INLINE hn::Vec<D> load_float(D d, float const* p) {
  return hn::LoadU(d, p);
}

template <class D>
HWY_INLINE void store_float(D d, hn::Vec<D> v, float* p) {
  hn::StoreU(v, d, p);
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_MATH_INL_HPP
