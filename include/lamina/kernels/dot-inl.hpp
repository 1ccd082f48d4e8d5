// The integer heart of the quantized products: 4 columns of some rows times 4 activations, exactly, by whatever
// instruction the target has. All else, in columns-inl.hpp, is common to the targets.
//
// Nibbles, SixBits and Bytes have the same shape. W is a register of weights, one row in each 32-bit lane; x is 4
// activations in every lane; Acc is a sum in progress over a group of up to 32 columns, to which add() adds the
// products of one register, or add_two(), where there is no add(), those of two; sum() makes int32 lanes of it, higher
// by kOffset times the sum of the activations unless it was made to start(value) at minus that (kStartsAnywhere).

#if defined(LAMINA_KERNELS_DOT_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_DOT_INL_HPP
#undef LAMINA_KERNELS_DOT_INL_HPP
#else
#define LAMINA_KERNELS_DOT_INL_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace dot {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;
using ByteTag = hn::Repartition<std::uint8_t, FloatTag>;
using Floats = hn::Vec<FloatTag>;
using Ints = hn::Vec<IntTag>;
using Bytes8 = hn::Vec<ByteTag>;

/// Output rows in a register, and registers in a panel.
inline constexpr std::size_t kLanes = HWY_MAX_BYTES / sizeof(float);
inline constexpr std::size_t kVectors = kPanelRows / kLanes;

/// Registers of output rows in a tile: two for x86, which leaves room for 4 rows of activations in 16 registers and
/// halves the broadcasts; four for Arm's 32 registers of 16 bytes.
#if defined(__aarch64__)
inline constexpr std::size_t kTileVectors = 4;
#else
inline constexpr std::size_t kTileVectors = 2;
#endif

/// Whether a sum can begin with any number.
#if LAMINA_PASS_VNNI
inline constexpr bool kStartsAnywhere = true;
#else
inline constexpr bool kStartsAnywhere = false;
#endif

/// Of how many sums, at most, each is kept as two chains: vpdpbusd takes 4 cycles and two start in each (Zen 5), so 8
/// chains leave no room for a late operand.
inline constexpr std::size_t kFewSums = kStartsAnywhere ? 8 : 0;

enum class Cache : std::uint8_t { kL1, kL2, kByCore };

/// What a stream asks for: every line that lies `bytes` further on, into the cache `to`, kL1 or kL2; and the first line
/// of every page (kPageBytes) that lies `pages` further on, into the L2 cache. 0: none. A core follows a stream by
/// itself to the end of a page, and begins anew in the next one; if the first line of that was asked for, it has begun
/// there before the stream arrives. Another line of the page is mostly worse than none.
struct Ahead {
  std::size_t bytes = 0;
  Cache to = Cache::kL1;
  std::size_t pages = 0;  // whole pages, in bytes

  friend constexpr bool operator==(Ahead const&, Ahead const&) = default;
};

/// Few rows are bound by reading the weights: a tile then takes some panels side by side, each a stream through
/// memory.
struct Streams {
  std::size_t panels = 0;
  Ahead ahead = {};
  bool collects = false;  // sums wait for those of other tiles: see collect_streams in product-inl.hpp

  friend constexpr bool operator==(Streams const&, Streams const&) = default;
};

/// By rows, of 1 to the most that may have streams. Where there are no panels, tiles are cut as for many rows.
inline constexpr std::size_t kStreamRows = 8;
using StreamsByRows = std::array<Streams, kStreamRows>;

/// `one` for one row, `more` for 2 to 8.
constexpr StreamsByRows streams_of(Streams one, Streams more) {
  return {one, more, more, more, more, more, more, more};
}

// kStreamPanels: after so many a stream jumps to the next ones.
#if HWY_MAX_BYTES == 64
// Zen 5, two threads, how many times as fast steps of 1b are as before pages were asked for (by four streams of floats
// and of one row of Q4_0 and Q8_0, by two with 3 KiB ahead of the rest), where reading gives 50 to 62 and 70 GB/s: one
// row Q4_0 1.14 and 1.07, Q8_0 1.23 and 1.05, Q4_K 1.07 and 1.01, Q6_K 1.15 and 1.03, BF16 1.12 and 1.04; at 50 to 62
// GB/s Q4_0, Q8_0 and BF16 two rows 1.24, 1.30, 1.15, four 0.98, 1.18, 1.15, five 1.17, 1.07, 1.16, eight 1.05, 1.01,
// 1.03. docs/kernels.md has what else was tried. Sums wait, or the places where they go are streams too, in the others'
// way.
inline constexpr std::size_t kStreamPanels = std::numeric_limits<std::size_t>::max();
inline constexpr Streams kPagedStreams{2, {3072, Cache::kL1, 4 * kPageBytes}, true};
inline constexpr StreamsByRows kStreams = streams_of(kPagedStreams, kPagedStreams);
/// Q8_0 has few instructions for each line, so one row reads far ahead by itself. With lines ahead 0.92 to 0.99.
inline constexpr StreamsByRows kStreamsOfBytes = streams_of({2, {0, Cache::kL1, 4 * kPageBytes}, true}, kPagedStreams);
/// More than one row asks for no pages: two of Q6_K 1.06 times, else 0.91 to 0.99.
inline constexpr StreamsByRows kStreamsOfKQuants =
    streams_of({1, {4096, Cache::kL1, 4 * kPageBytes}, true}, {2, {3072}, true});
inline constexpr auto kStreamsOfFloats = kStreams;
#else
/// One row on Zen 3, no prefetches, as shares of plain reading with 4 streams: 1 stream 71 %, 4 neighbouring panels 88
/// to 92 %, 4 streams of 8 panels 94 to 101 %; 2 streams 90 %, 8 streams 79 to 90 %. Two rows: 1.1 times with.
inline constexpr std::size_t kStreamPanels = 8;
inline constexpr StreamsByRows kStreams{{{kVectors <= 2 ? 4 : 1}, {kVectors <= 2 ? 2 : 1, {1024}}}};
inline constexpr auto kStreamsOfBytes = kStreams;
inline constexpr auto kStreamsOfKQuants = kStreams;
inline constexpr auto kStreamsOfFloats = kStreams;
#endif

/// For Core::kZen4, whatever quantized format. Two threads, one row, against four streams with 1.5 KiB ahead, of
/// k-quants two with 3 KiB, all of which write y tile by tile, medians of 11 turns where reading gives 33 and 55 GB/s:
/// Q4_0 1.15 and 1.27; Q8_0 1.12 and 1.4 to 1.45; Q4_K 1.06 and 1.15; Q6_K 1.04. Without prefetches two streams give
/// 0.9 to 1.0 of that, four 0.9 to 0.97, eight 0.8 to 0.95 (y written tile by tile; but see kStreamsOfNibblesOfZen4);
/// one with 1 KiB ahead 0.77 to 0.86, with 2 and 4 KiB ahead into the L2 cache 0.93 and 0.63. Two rows 1.06 to 1.47.
/// Four rows by one stream with 3 KiB ahead 1.05 to 1.28, without prefetches 0.8 to 1.0 of that; with 6 KiB ahead into
/// the L2 cache 1.06 to 1.1 times that (4 KiB 0.9 to 1.08, 8 KiB 1.03 to 1.2).
inline constexpr StreamsByRows kStreamsOfZen4{{{1}, {1}, {1, {6144, Cache::kL2}}, {1, {6144, Cache::kL2}}}};
/// The same where the rows' activations and a panel are more than kCrowdedBytes, a little more than the L1 cache: a
/// panel then pushes them out before the next one reads them, so several panels read them together. 8,192 columns,
/// medians of 7 to 9 turns against one stream: one row, one thread, Q4_0 1.10, Q4_K 1.34, Q6_K 1.26 (4,096
/// columns 1.08, 1.27); two threads 1.03 to 1.09, where memory gives them no more. Two rows, two threads at 50 GB/s,
/// Q4_0 1.45, Q4_K 1.16, Q6_K 1.33, at 35 1.02 to 1.10; by two streams 0.83 to 1.0 of that. Four rows by two streams
/// 1.12 to 1.24, with 3 KiB ahead into the L2 cache 1.02 to 1.1 times that; by four streams 0.85 to 0.94.
inline constexpr std::size_t kCrowdedBytes = std::size_t{36} << 10;
inline constexpr StreamsByRows kCrowdedStreamsOfZen4{{{4}, {4}, {2, {3072, Cache::kL2}}, {2, {3072, Cache::kL2}}}};
/// Q8_0, 2,048 and 8,192 columns: 1.0 to 1.04; by four streams 0.95 to 1.0 (one row), 0.97 to 1.27 (two). Four rows
/// 1.04 to 1.07, with 6 KiB ahead into the L2 cache 0.82 to 0.93 times that.
inline constexpr StreamsByRows kCrowdedStreamsOfBytesOfZen4{{{2}, {2}, {2}, {2}}};
/// Q4_0 of one row is read by eight streams, whatever the columns, if they are long ones (KernelTable::run_parts) and
/// their sums wait side by side (collect_streams in product-inl.hpp). One thread against one stream, four where panels
/// crowd: 700 MB in one go 1.03 times, decoding 1b 1.02 to 1.03; of prototypes 1.034, crowded ones still by four
/// 1.024, all by six 1.027, by four 1.0; with y written tile by tile, in eight places, 0.87. Two threads, medians of 24
/// and 30 turns where each reads as if it were alone (63 to 66 GB/s) 1.016 to 1.028, at 37 GB/s 1.0. By eight streams
/// Q8_0 is at 0.92, Q4_K and Q6_K at 0.96; by six and four Q4_K is at 1.0 and Q6_K at 0.98 to 1.0.
inline constexpr StreamsByRows kStreamsOfNibblesOfZen4{
    {{8, {}, true}, kStreamsOfZen4[1], kStreamsOfZen4[2], kStreamsOfZen4[3]}};
inline constexpr StreamsByRows kCrowdedStreamsOfNibblesOfZen4{
    {kStreamsOfNibblesOfZen4[0], kCrowdedStreamsOfZen4[1], kCrowdedStreamsOfZen4[2], kCrowdedStreamsOfZen4[3]}};
/// BF16 and F16, two rows: 1.07 and 1.06 times; one row 1.0 to 1.03, where a single chain of FMAs would wait for itself
/// as soon as memory gives more than 30 GB/s a core.
inline constexpr StreamsByRows kFloatStreamsOfZen4{{{4}, {4}}};

HWY_INLINE Bytes8 load_bytes(void const* p) { return hn::LoadU(ByteTag(), static_cast<std::uint8_t const*>(p)); }

/// For bytes that several instructions take. Of 64, GCC would make each instruction load them again, and half of the
/// loads of Q4_0 and Q6_K cross a cache line, which counts twice: Zen 5, one row from the L1 cache, Q4_0 1.33, Q4_K and
/// Q6_K 1.1 times the speed, many rows of Q6_K 1.03 to 1.05; on Zen 4 not measured. Elsewhere as load_bytes.
HWY_INLINE Bytes8 load_bytes_once(void const* p) {
  Bytes8 bytes = load_bytes(p);
#if HWY_MAX_BYTES == 64
  __asm__("" : "+v"(bytes.raw));
#endif
  return bytes;
}

/// 4 activations in every lane.
HWY_INLINE Ints broadcast4(std::int8_t const* q) {
  std::int32_t four;
  std::memcpy(&four, q, sizeof four);
  return hn::Set(IntTag(), four);
}

#if defined(__x86_64__)

// One set of names for the three register widths. Highway 1.0.3 has no operation for vpmaddubsw.
#if HWY_MAX_BYTES == 64
HWY_INLINE __m512i maddubs(__m512i u8, __m512i s8) { return _mm512_maddubs_epi16(u8, s8); }
HWY_INLINE __m512i madd(__m512i a, __m512i b) { return _mm512_madd_epi16(a, b); }
HWY_INLINE __m512i add16(__m512i a, __m512i b) { return _mm512_add_epi16(a, b); }
HWY_INLINE __m512i pack32(__m512i a, __m512i b) { return _mm512_packs_epi32(a, b); }
HWY_INLINE __m512i pack16(__m512i a, __m512i b) { return _mm512_packs_epi16(a, b); }
HWY_INLINE __m512i ones16() { return _mm512_set1_epi16(1); }
HWY_INLINE __m512i zero() { return _mm512_setzero_si512(); }
// Not _mm512_cvtps_epi32, whose header GCC 12 warns of.
HWY_INLINE __m512i nearest32(__m512 v) { return _mm512_maskz_cvtps_epi32(0xffff, v); }
#elif HWY_MAX_BYTES == 32
HWY_INLINE __m256i maddubs(__m256i u8, __m256i s8) { return _mm256_maddubs_epi16(u8, s8); }
HWY_INLINE __m256i madd(__m256i a, __m256i b) { return _mm256_madd_epi16(a, b); }
HWY_INLINE __m256i add16(__m256i a, __m256i b) { return _mm256_add_epi16(a, b); }
HWY_INLINE __m256i pack32(__m256i a, __m256i b) { return _mm256_packs_epi32(a, b); }
HWY_INLINE __m256i pack16(__m256i a, __m256i b) { return _mm256_packs_epi16(a, b); }
HWY_INLINE __m256i ones16() { return _mm256_set1_epi16(1); }
HWY_INLINE __m256i zero() { return _mm256_setzero_si256(); }
HWY_INLINE __m256i nearest32(__m256 v) { return _mm256_cvtps_epi32(v); }
#else
HWY_INLINE __m128i maddubs(__m128i u8, __m128i s8) { return _mm_maddubs_epi16(u8, s8); }
HWY_INLINE __m128i madd(__m128i a, __m128i b) { return _mm_madd_epi16(a, b); }
HWY_INLINE __m128i add16(__m128i a, __m128i b) { return _mm_add_epi16(a, b); }
HWY_INLINE __m128i pack32(__m128i a, __m128i b) { return _mm_packs_epi32(a, b); }
HWY_INLINE __m128i pack16(__m128i a, __m128i b) { return _mm_packs_epi16(a, b); }
HWY_INLINE __m128i ones16() { return _mm_set1_epi16(1); }
HWY_INLINE __m128i zero() { return _mm_setzero_si128(); }
HWY_INLINE __m128i nearest32(__m128 v) { return _mm_cvtps_epi32(v); }
#endif

#if LAMINA_PASS_VNNI

/// Weights 0 .. 15.
struct Nibbles {
  static constexpr int kOffset = 0;
  using W = __m512i;
  using Acc = __m512i;
  static HWY_INLINE W prepare(Bytes8 w) { return w.raw; }
  static HWY_INLINE Acc start(Ints value = Ints{zero()}) { return value.raw; }
  static HWY_INLINE Acc add(Acc acc, W w, Ints x) { return _mm512_dpbusd_epi32(acc, w, x.raw); }
  static HWY_INLINE Ints sum(Acc acc) { return Ints{acc}; }
};

/// Weights 0 .. 63.
using SixBits = Nibbles;

/// Weights -128 .. 127, made unsigned.
struct Bytes : Nibbles {
  static constexpr int kOffset = 128;
  static HWY_INLINE W prepare(Bytes8 w) { return _mm512_xor_si512(w.raw, _mm512_set1_epi8(-128)); }
};

#else

using Raw = decltype(zero());

/// Nothing, but GCC cannot see that: it would reorder the additions of a whole block, for which it keeps all products
/// at a time, most of them on the stack (measured with GCC 12 on Zen 3: 0.4 times the speed).
HWY_INLINE Raw in_order(Raw v) {
  __asm__("" : "+v"(v));
  return v;
}

/// Weights 0 .. 15. A pair of products is at most 2 * 15 * 127 = 3810, and eight pairs 30480: 32 columns fit int16.
struct Nibbles {
  static constexpr int kOffset = 0;
  using W = Raw;
  using Acc = Raw;
  static HWY_INLINE W prepare(Bytes8 w) { return w.raw; }
  static HWY_INLINE Acc start() { return zero(); }
  static HWY_INLINE Acc add(Acc acc, W w, Ints x) { return in_order(add16(acc, maddubs(w, x.raw))); }
  static HWY_INLINE Ints sum(Acc acc) { return Ints{madd(acc, ones16())}; }
};

/// Weights 0 .. 63. A pair of products is at most 2 * 63 * 127 = 16002, so two registers fit int16, and four would not.
struct SixBits {
  static constexpr int kOffset = 0;
  using W = Raw;
  using Acc = Ints;
  static HWY_INLINE W prepare(Bytes8 w) { return w.raw; }
  static HWY_INLINE Acc start() { return hn::Zero(IntTag()); }
  static HWY_INLINE Acc add_two(Acc acc, W w0, Ints x0, W w1, Ints x1) {
    Raw const pairs = add16(maddubs(w0, x0.raw), maddubs(w1, x1.raw));
    return Ints{in_order(hn::Add(acc, Ints{madd(pairs, ones16())}).raw)};
  }
  static HWY_INLINE Ints sum(Acc acc) { return acc; }
};

/// Weights -128 .. 127: |w| times x with the sign of w. A pair is at most 2 * 128 * 127 = 32512, which vpmaddubsw does
/// not saturate; a biased w of up to 255 would.
struct Bytes {
  static constexpr int kOffset = 0;
  using Acc = Ints;
  static HWY_INLINE Acc start() { return hn::Zero(IntTag()); }
  static HWY_INLINE Ints sum(Acc acc) { return acc; }

#if HWY_MAX_BYTES == 64
  struct W {
    __m512i magnitude;
    __mmask64 negative;
  };
  static HWY_INLINE W prepare(Bytes8 w) { return {_mm512_abs_epi8(w.raw), _mm512_movepi8_mask(w.raw)}; }
  static HWY_INLINE Raw with_sign(Ints x, W w) { return _mm512_mask_sub_epi8(x.raw, w.negative, zero(), x.raw); }
#elif HWY_MAX_BYTES == 32
  struct W {
    __m256i magnitude, sign;
  };
  static HWY_INLINE W prepare(Bytes8 w) { return {_mm256_abs_epi8(w.raw), w.raw}; }
  static HWY_INLINE Raw with_sign(Ints x, W w) { return _mm256_sign_epi8(x.raw, w.sign); }
#else
  struct W {
    __m128i magnitude, sign;
  };
  static HWY_INLINE W prepare(Bytes8 w) { return {_mm_abs_epi8(w.raw), w.raw}; }
  static HWY_INLINE Raw with_sign(Ints x, W w) { return _mm_sign_epi8(x.raw, w.sign); }
#endif
  static HWY_INLINE Acc add(Acc acc, W w, Ints x) {
    return Ints{in_order(hn::Add(acc, Ints{madd(maddubs(w.magnitude, with_sign(x, w)), ones16())}).raw)};
  }
};

#endif  // LAMINA_PASS_VNNI

#elif defined(__aarch64__)

#if LAMINA_PASS_SDOT

/// Weights -128 .. 127.
struct Bytes {
  static constexpr int kOffset = 0;
  using W = int8x16_t;
  using Acc = int32x4_t;
  static HWY_INLINE W prepare(Bytes8 w) { return vreinterpretq_s8_u8(w.raw); }
  static HWY_INLINE Acc start() { return vdupq_n_s32(0); }
  static HWY_INLINE Acc add(Acc acc, W w, Ints x) { return vdotq_s32(acc, w, vreinterpretq_s8_s32(x.raw)); }
  static HWY_INLINE Ints sum(Acc acc) { return Ints(acc); }
};

/// Weights 0 .. 15, and 0 .. 63.
using Nibbles = Bytes;
using SixBits = Bytes;

#else

/// Weights 0 .. 15. A product is at most 15 * 127 = 1905, and eight 15240: 32 columns fit int16.
struct Nibbles {
  static constexpr int kOffset = 0;
  using W = int8x16_t;
  struct Acc {
    int16x8_t low, high;
  };
  static HWY_INLINE W prepare(Bytes8 w) { return vreinterpretq_s8_u8(w.raw); }
  static HWY_INLINE Acc start() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  static HWY_INLINE Acc add(Acc acc, W w, Ints x) {
    int8x16_t const q = vreinterpretq_s8_s32(x.raw);
    return {vmlal_s8(acc.low, vget_low_s8(w), vget_low_s8(q)), vmlal_high_s8(acc.high, w, q)};
  }
  static HWY_INLINE Ints sum(Acc acc) { return Ints(vpaddq_s32(vpaddlq_s16(acc.low), vpaddlq_s16(acc.high))); }
};

/// Weights -128 .. 127.
struct Bytes {
  static constexpr int kOffset = 0;
  using W = int8x16_t;
  struct Acc {
    int32x4_t low, high;
  };
  static HWY_INLINE W prepare(Bytes8 w) { return vreinterpretq_s8_u8(w.raw); }
  static HWY_INLINE Acc start() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
  static HWY_INLINE Acc add(Acc acc, W w, Ints x) {
    int8x16_t const q = vreinterpretq_s8_s32(x.raw);
    return {vpadalq_s16(acc.low, vmull_s8(vget_low_s8(w), vget_low_s8(q))), vpadalq_s16(acc.high, vmull_high_s8(w, q))};
  }
  static HWY_INLINE Ints sum(Acc acc) { return Ints(vpaddq_s32(acc.low, acc.high)); }
};

/// Weights 0 .. 63.
using SixBits = Bytes;

#endif  // LAMINA_PASS_SDOT

#endif  // architecture

}  // namespace dot
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_DOT_INL_HPP
