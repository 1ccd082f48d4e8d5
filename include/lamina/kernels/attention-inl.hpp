// Attention over cache blocks for every instruction set. Declared at AttendArgs, specified in reference.hpp.
//
// Query rows (a head of a token each) go in tiles. For each cache block, a tile's scores, weights and weighted values
// are computed while the block lies in the first-level cache, so that memory is read once per tile. Both products are
// small matrix products with the block as the right-hand side: lanes are tokens for scores (keys lie transposed) and
// components for values, and a register of the block, converted from half precision once, serves up to kRowGroup rows.

#if defined(LAMINA_KERNELS_ATTENTION_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)  // visible once per pass
#ifdef LAMINA_KERNELS_ATTENTION_INL_HPP
#undef LAMINA_KERNELS_ATTENTION_INL_HPP
#else
#define LAMINA_KERNELS_ATTENTION_INL_HPP
#endif

#include "lamina/kernels/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class E>
inline void store_kv_as(std::size_t head_dim, float const* k, float const* v, KvBlockRef block,
                        std::size_t index) noexcept {
  E* const keys = reinterpret_cast<E*>(block.k) + index;
  E* const values = reinterpret_cast<E*>(block.v) + index * head_dim;
  for_each_run(head_dim, [=](auto d, std::size_t i) HWY_ATTR {
    E column[hn::MaxLanes(decltype(d)())];
    store_float(d, hn::LoadU(d, k + i), column);
    for (std::size_t j = 0; j < hn::Lanes(d); ++j) keys[(i + j) * kKvBlock] = column[j];
    store_float(d, hn::LoadU(d, v + i), values + i);
  });
}

inline void store_kv(KvElement element, std::size_t head_dim, float const* k, float const* v, KvBlockRef block,
                     std::size_t index) noexcept {
  if (element == KvElement::kF16) {
    store_kv_as<Half>(head_dim, k, v, block, index);
  } else {
    store_kv_as<float>(head_dim, k, v, block, index);
  }
}

/// Rows that share a register of the block: 6 rows by 2 registers of AVX2 leave 4 of 16 for the block and the rows.
inline constexpr std::size_t kRowGroup = 6;
inline constexpr std::size_t kAccumulators = HWY_TARGET <= HWY_AVX3 || HWY_TARGET >= HWY_NEON ? 24 : 12;
inline constexpr std::size_t kTileRows = 4 * kRowGroup;
/// A larger group of heads is one tile all the same, so that its K and V are read once (multi-query Falcon 7B has 71).
inline constexpr std::size_t kMaxTileRows = 128;

/// Registers side by side, a power of two, for `rows` rows.
constexpr std::size_t columns_for(std::size_t rows) {
  std::size_t const most = kAccumulators / rows;
  return most >= 8 ? 8 : most >= 4 ? 4 : most >= 2 ? 2 : 1;
}

/// Memory that will be read next, fetched a line at a time from within the loops that compute, at the pace at which
/// they read. On a Zen 3 core, a group of 4 over 8192 f16 tokens that lie in memory reads 20 % faster with it;
/// prefetches in a burst give 4 %. On Zen 4 it is in the way of the hardware's prefetcher, which follows blocks that
/// lie one after the other: over 512 and 8,192 tokens 1.14 and 1.07 to 1.08 times as fast without, with one thread and
/// with two.
struct Ahead {
  std::byte const* line = nullptr;
  std::size_t advance = 0;  // 0: nothing is left to fetch, the same line is asked for again

  void start(std::byte const* data) noexcept {
    line = data;
    advance = kAlignment;
  }
  HWY_INLINE void fetch() noexcept {
    __builtin_prefetch(line);
    line += advance;
  }
};

#if LAMINA_PASS_VNNI
/// acc = fma(*a in every lane, b, acc); the instruction itself reads *a. Beside registers filled with *a, which GCC
/// prefers, Zen 4 converts half precision slowly: 12 products with 2 converted registers take 14.7 cycles so, 12.0
/// here.
HWY_INLINE hn::Vec<Full> multiply_add(float const* a, hn::Vec<Full> b, hn::Vec<Full> acc) {
  __asm__("{vfmadd231ps %2%{1to16%}, %1, %0|vfmadd231ps %0, %1, %2%{1to16%}}" : "+v"(acc.raw) : "v"(b.raw), "m"(*a));
  return acc;
}
#endif

/// acc[r][j] = fma(a[r][k], b[k][j], acc[r][j]) for one k. a: rows; b: rows of `stride`.
template <Core kCore, std::size_t R, std::size_t T, class D, class E>
HWY_INLINE void accumulate_one(D d, float const* const (&a)[R], E const* b, std::size_t stride, std::size_t k,
                               hn::Vec<D> (&acc)[R][T]) {
  hn::Vec<D> column[T];
  LAMINA_UNROLL
  for (std::size_t j = 0; j < T; ++j) column[j] = load_float(d, b + k * stride + j * hn::Lanes(d));
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    if constexpr (kCore == Core::kZen4 && std::is_same_v<D, Full> && std::is_same_v<E, Half>) {
      LAMINA_UNROLL
      for (std::size_t j = 0; j < T; ++j) acc[r][j] = multiply_add(a[r] + k, column[j], acc[r][j]);
    } else {
      auto const row = hn::Set(d, a[r][k]);
      LAMINA_UNROLL
      for (std::size_t j = 0; j < T; ++j) acc[r][j] = hn::MulAdd(row, column[j], acc[r][j]);
    }
  }
}

/// The same for k = begin .. end - 1, in order.
template <Core kCore, std::size_t R, std::size_t T, class D, class E>
HWY_INLINE void accumulate(D d, float const* const (&a)[R], E const* b, std::size_t stride, std::size_t begin,
                           std::size_t end, Ahead& ahead, hn::Vec<D> (&acc)[R][T]) {
  constexpr std::size_t kBytes = T * hn::MaxLanes(d) * sizeof(E);
  constexpr std::size_t kSteps = std::max<std::size_t>(kAlignment / kBytes, 1);  // that read a line
  constexpr std::size_t kLines = std::max<std::size_t>(kBytes / kAlignment, 1);  // that a step reads
  Ahead lines = ahead;
  std::size_t k = begin;
  for (; k + kSteps <= end; k += kSteps) {
    if constexpr (kCore != Core::kZen4) {
      LAMINA_UNROLL
      for (std::size_t i = 0; i < kLines; ++i) lines.fetch();
    }
    LAMINA_UNROLL
    for (std::size_t step = 0; step < kSteps; ++step) accumulate_one<kCore>(d, a, b, stride, k + step, acc);
  }
  if constexpr (kSteps > 1) {
    for (; k < end; ++k) accumulate_one<kCore>(d, a, b, stride, k, acc);
  }
  ahead = lines;
}

/// Room for the rows of a tile with heads of 128 components: 12 KiB, twice on the stack of a task.
inline constexpr std::size_t kNearFloats = kTileRows * 128;

/// A tile of query rows on its way through the cache. Row i of the tile is query head (first + i) % group of query
/// token (first + i) / group.
struct AttendTile {
  HWY_ALIGN float weight[kMaxTileRows][kKvBlock];  // of the current block: scores, then exp(score - max)
  HWY_ALIGN float near_q[kNearFloats];             // see worth_copying
  HWY_ALIGN float near_out[kNearFloats];
  float const* q[kMaxTileRows];
  float* out[kMaxTileRows];                  // sums of weighted values so far
  float* result[kMaxTileRows];               // where they are wanted in the end, divided
  HWY_ALIGN float max[kMaxTileRows];         // greatest score so far
  HWY_ALIGN float sum[kMaxTileRows];         // of weights so far
  HWY_ALIGN float shift[kMaxTileRows];       // from the maximum with the current block to the one before: 0 or less
  HWY_ALIGN float correction[kMaxTileRows];  // exp(shift): what the greater maximum makes of earlier sums
  HWY_ALIGN float block_sum[kMaxTileRows];   // of the current block's weights
  std::size_t position[kMaxTileRows];        // of the row's token
  std::size_t begin[kMaxTileRows];           // the tokens of the current block that the row sees
  std::size_t end[kMaxTileRows];
  bool cleared = false;      // out
  bool all_see_all = false;  // every row all of the current block, as of most blocks
  std::size_t rows;
  std::size_t window;
  Ahead ahead;

  AttendTile(AttendArgs const& args, std::size_t first, std::size_t count) noexcept : rows(count), window(args.window) {
    std::size_t token = first / args.group;
    std::size_t head = first % args.group;
    for (std::size_t i = 0; i < count; ++i) {
      q[i] = &args.q.row(token)[head * args.head_dim];
      out[i] = result[i] = &args.out.row(token)[head * args.head_dim];
      ask_to_write(result[i], args.head_dim);
      position[i] = args.first_position + token;
      if (++head == args.group) head = 0, ++token;
    }
    if (worth_copying(args, first, count)) {
      for (std::size_t i = 0; i < count; ++i) {
        std::copy_n(q[i], args.head_dim, near_q + i * args.head_dim);
        q[i] = near_q + i * args.head_dim;
        out[i] = near_out + i * args.head_dim;
      }
    }
    // Whole registers of these are computed with, as if more rows saw nothing.
    std::size_t const padded = round_up(count, hn::MaxLanes(Full()));
    for (float* of_rows : {sum, shift, block_sum}) std::fill_n(of_rows, padded, 0.0F);
    std::fill_n(max, padded, -std::numeric_limits<float>::infinity());
    for (std::size_t* of_rows : {begin, end}) std::fill_n(of_rows, padded, std::size_t{0});
  }

  [[nodiscard]] std::size_t first_block() const noexcept { return oldest_seen(0) / kKvBlock; }
  [[nodiscard]] std::size_t last_block() const noexcept { return position[rows - 1] / kKvBlock; }

  /// Makes block b the current one.
  void enter(std::size_t b) noexcept {
    std::size_t const from = b * kKvBlock, to = from + kKvBlock;
    bool const whole = oldest_seen(rows - 1) <= from && to <= position[0] + 1;
    if (whole && all_see_all) return;
    all_see_all = whole;
    for (std::size_t i = 0; i < rows; ++i) {
      begin[i] = std::clamp(oldest_seen(i), from, to) - from;
      end[i] = std::clamp(position[i] + 1, from, to) - from;
    }
  }

  /// Before the first values. By then the lines of results are there that the constructor asked for, which the core
  /// that read them last had: cleared there, they took 8 % of the time of 512 tokens' attention (Zen 4).
  void clear_outputs(std::size_t head_dim) noexcept {
    if (cleared) return;
    for (std::size_t i = 0; i < rows; ++i) std::fill_n(out[i], head_dim, 0.0F);
    cleared = true;
  }

  /// Whether row i sees any token of the current block.
  [[nodiscard]] bool sees(std::size_t i) const noexcept { return begin[i] < end[i]; }

 private:
  /// Whether rows of several tokens see so many that it pays to have them and their sums side by side. Not copied, they
  /// lie on two pages for each token, which is in the way of the hardware's following the blocks in more distant
  /// caches. Zen 4, two threads: 512 tokens after 1,500 and 7,680 1.0 and 1.05 times as fast in groups of 4 heads, 1.03
  /// and 1.26 one by one; 8 tokens after 1,000 and 8,000 1.02 and 1.25; 24 rows over fewer blocks 0.98.
  static bool worth_copying(AttendArgs const& args, std::size_t first, std::size_t count) noexcept {
    constexpr std::size_t kManyTokens = 8 * kKvBlock;
    std::size_t const held = args.first_position + (first + count - 1) / args.group + 1;
    std::size_t const seen = args.window != 0 ? std::min(held, args.window) : held;
    return count > args.group && count * args.head_dim <= kNearFloats && seen >= kManyTokens;
  }

  /// The position of the first token that row i sees.
  [[nodiscard]] std::size_t oldest_seen(std::size_t i) const noexcept {
    return window != 0 && position[i] >= window ? position[i] - window + 1 : 0;
  }
};

/// weight[i][t] = dot(q[i], key t), for R rows from `first` on and T registers of tokens from token `from` on.
template <Core kCore, std::size_t T, std::size_t R, class E>
HWY_INLINE void dot_columns(AttendTile& tile, std::size_t first, std::size_t head_dim, E const* keys,
                            std::size_t from) noexcept {
  Full const d;
  float const* q[R];
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) q[r] = tile.q[first + r];
  hn::Vec<Full> acc[R][T];
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    LAMINA_UNROLL
    for (std::size_t j = 0; j < T; ++j) acc[r][j] = hn::Zero(d);
  }
  accumulate<kCore>(d, q, keys + from, kKvBlock, 0, head_dim, tile.ahead, acc);
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    LAMINA_UNROLL
    for (std::size_t j = 0; j < T; ++j) hn::Store(acc[r][j], d, tile.weight[first + r] + from + j * hn::Lanes(d));
  }
}

/// The same for whole registers of tokens, up to the last token that one of the rows sees. Those that another does not
/// see are masked later.
template <Core kCore, std::size_t R, class E>
void dot_keys(AttendTile& tile, std::size_t first, std::size_t head_dim, E const* keys) noexcept {
  constexpr std::size_t kColumns = std::min(columns_for(R), kBlockVectors);
  constexpr std::size_t kLanes = hn::MaxLanes(Full());
  if (tile.all_see_all) {
    LAMINA_UNROLL
    for (std::size_t t = 0; t < kKvBlock; t += kColumns * kLanes) {
      dot_columns<kCore, kColumns, R>(tile, first, head_dim, keys, t);
    }
    return;
  }
  std::size_t const end = *std::max_element(tile.end + first, tile.end + first + R);
  std::size_t t = 0;
  for (; t + (kColumns - 1) * kLanes < end; t += kColumns * kLanes) {
    dot_columns<kCore, kColumns, R>(tile, first, head_dim, keys, t);
  }
  for (; t < end; t += kLanes) dot_columns<kCore, 1, R>(tile, first, head_dim, keys, t);
}

/// The scores of a row, scaled, minus infinity for tokens that it does not see, up to the last register with one that
/// it sees; returns the greatest, lane by lane. kAll: it is known to see all.
template <bool kAll>
HWY_INLINE hn::Vec<Full> scale_scores(AttendTile& tile, std::size_t i, float scale) {
  Full const d;
  auto const lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  auto max = lowest;
  if (!kAll && !tile.sees(i)) return max;
  bool const all = kAll || tile.end[i] - tile.begin[i] == kKvBlock;
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kBlockVectors; ++j) {
    std::size_t const t = j * hn::Lanes(d);
    if (!kAll && t >= tile.end[i]) continue;
    auto score = product(hn::Set(d, scale), hn::Load(d, tile.weight[i] + t));
    if (!all) {
      auto const index = hn::Iota(d, static_cast<float>(t));
      auto const first = hn::Set(d, static_cast<float>(tile.begin[i]));
      auto const past = hn::Set(d, static_cast<float>(tile.end[i]));
      score = hn::IfThenElse(hn::And(hn::Ge(index, first), hn::Lt(index, past)), score, lowest);
    }
    hn::Store(score, d, tile.weight[i] + t);
    max = hn::Max(max, score);
  }
  return max;
}

/// These scores of a row to weights; returns their sum as far as one register.
template <bool kAll>
HWY_INLINE hn::Vec<Full> weigh(AttendTile& tile, std::size_t i) {
  Full const d;
  if (!kAll && !tile.sees(i)) return hn::Zero(d);
  auto const max = hn::Set(d, tile.max[i]);
  hn::Vec<Full> part[kSumVectors];
  LAMINA_UNROLL
  for (auto& one : part) one = hn::Zero(d);
  LAMINA_UNROLL
  for (std::size_t j = 0; j < kBlockVectors; ++j) {
    if (!kAll && j * hn::Lanes(d) >= tile.end[i]) continue;
    float* const weight = tile.weight[i] + j * hn::Lanes(d);
    auto const p = exp_bounded(d, hn::Sub(hn::Load(d, weight), max));
    hn::Store(p, d, weight);
    part[j % kSumVectors] = j < kSumVectors ? p : hn::Add(part[j % kSumVectors], p);
  }
  return sum_registers(part);
}

/// Calls body(whether all four see all of the block, as a constant, first row) for four rows at a time.
template <class Body>
HWY_INLINE void for_each_four(AttendTile const& tile, Body&& body) {
  for (std::size_t i = 0; i < tile.rows; i += 4) {
    if (tile.all_see_all && i + 4 <= tile.rows) {
      body(std::true_type(), i);
    } else {
      body(std::false_type(), i);
    }
  }
}

/// Scores to weights: the online softmax step. Lanes are reduced for four rows side by side, and maxima for all rows
/// before weights: row by row each waits for the one before (Zen 5: attention of 512 tokens at 61 % of
/// the FMA peak so, at 69 % now; of one token over 8,192 in 0.54 and 0.48 ms).
inline void weigh_rows(AttendTile& tile, float scale) noexcept {
  Full const d;
  Four const four;
  for_each_four(tile, [&](auto all, std::size_t i) HWY_ATTR {
    hn::Vec<Full> greatest[4];
    LAMINA_UNROLL
    for (std::size_t r = 0; r < 4; ++r) greatest[r] = scale_scores<all()>(tile, i + r, scale);
    auto const before = hn::Load(four, tile.max + i);
    auto const max = hn::Max(before, reduce_four(d, greatest, [](auto a, auto b) HWY_ATTR { return hn::Max(a, b); }));
    hn::Store(max, four, tile.max + i);
    // Both may be minus infinity, where a row has seen nothing yet.
    hn::Store(hn::IfThenZeroElse(hn::Eq(before, max), hn::Sub(before, max)), four, tile.shift + i);
  });
  for_each_four(tile, [&](auto all, std::size_t i) HWY_ATTR {
    hn::Vec<Full> sum[4];
    LAMINA_UNROLL
    for (std::size_t r = 0; r < 4; ++r) sum[r] = weigh<all()>(tile, i + r);
    hn::Store(reduce_four(d, sum, [](auto a, auto b) HWY_ATTR { return hn::Add(a, b); }), four, tile.block_sum + i);
  });
}

/// What the current block makes of the sums so far, of all rows side by side.
inline void correct_sums(AttendTile& tile) noexcept {
  Full const d;
  for (std::size_t i = 0; i < tile.rows; i += hn::Lanes(d)) {
    auto const correction = exp_bounded(d, hn::Load(d, tile.shift + i));
    hn::Store(correction, d, tile.correction + i);
    hn::Store(hn::MulAdd(hn::Load(d, tile.sum + i), correction, hn::Load(d, tile.block_sum + i)), d, tile.sum + i);
  }
}

/// out[r] = out[r] * correction[r], then fma(weight[r][t], value t, out[r]) for t = begin .. end - 1, for the
/// components from `from` on that fill registers T at a time; returns the first that does not.
template <Core kCore, std::size_t T, std::size_t R, class D, class E>
HWY_INLINE std::size_t add_columns(D d, AttendTile& tile, std::size_t first, std::size_t head_dim, E const* values,
                                   std::size_t begin, std::size_t end, std::size_t from) noexcept {
  float const* weight[R];
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) weight[r] = tile.weight[first + r];
  std::size_t const width = T * hn::Lanes(d);
  for (; from + width <= head_dim; from += width) {
    hn::Vec<D> acc[R][T];
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      auto const correction = hn::Set(d, tile.correction[first + r]);
      LAMINA_UNROLL
      for (std::size_t j = 0; j < T; ++j) {
        acc[r][j] = hn::Mul(hn::LoadU(d, tile.out[first + r] + from + j * hn::Lanes(d)), correction);
      }
    }
    accumulate<kCore>(d, weight, values + from, head_dim, begin, end, tile.ahead, acc);
    LAMINA_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      LAMINA_UNROLL
      for (std::size_t j = 0; j < T; ++j) hn::StoreU(acc[r][j], d, tile.out[first + r] + from + j * hn::Lanes(d));
    }
  }
  return from;
}

/// The same for one row and the components that are left, in ever shorter registers.
template <Core kCore, class E>
void add_remaining(AttendTile& tile, std::size_t row, std::size_t head_dim, E const* values, std::size_t begin,
                   std::size_t end, std::size_t from) noexcept {
  hn::CappedTag<float, 4> const four;
  hn::CappedTag<float, 1> const one;
  from = add_columns<kCore, 1, 1>(Full(), tile, row, head_dim, values, begin, end, from);
  from = add_columns<kCore, 1, 1>(four, tile, row, head_dim, values, begin, end, from);
  add_columns<kCore, 1, 1>(one, tile, row, head_dim, values, begin, end, from);
}

/// The same for R rows and all components.
template <Core kCore, std::size_t R, class E>
void add_values_between(AttendTile& tile, std::size_t first, std::size_t head_dim, E const* values, std::size_t begin,
                        std::size_t end) noexcept {
  // Zen 4 takes 26 cycles for 24 products with four registers converted from half precision side by side, 24.5 with
  // two.
  constexpr bool kTwo = kCore == Core::kZen4 && std::is_same_v<E, Half> && R > 4;
  constexpr std::size_t kColumns = kTwo ? 2 : columns_for(R);
  std::size_t done = add_columns<kCore, kColumns, R>(Full(), tile, first, head_dim, values, begin, end, 0);
  if constexpr (kColumns == 8) {  // a head may have half as many components
    done = add_columns<kCore, 4, R>(Full(), tile, first, head_dim, values, begin, end, done);
  }
  if (done == head_dim) return;
  for (std::size_t r = first; r < first + R; ++r) add_remaining<kCore>(tile, r, head_dim, values, begin, end, done);
}

/// Adds the block's values to R rows. Rows of one group may see different tokens; those that all see are done together,
/// the others row by row, since a token that a row does not see may be stale or infinite and must not be touched.
template <Core kCore, std::size_t R, class E>
void add_values(AttendTile& tile, std::size_t first, std::size_t head_dim, E const* values) noexcept {
  if (tile.all_see_all) return add_values_between<kCore, R>(tile, first, head_dim, values, 0, kKvBlock);
  std::size_t begin = *std::max_element(tile.begin + first, tile.begin + first + R);
  std::size_t end = *std::min_element(tile.end + first, tile.end + first + R);
  if (begin >= end) begin = end = kKvBlock;
  for (std::size_t r = first; r < first + R; ++r) {
    if (tile.begin[r] >= std::min(begin, tile.end[r])) continue;
    add_values_between<kCore, 1>(tile, r, head_dim, values, tile.begin[r], std::min(begin, tile.end[r]));
    tile.correction[r] = 1.0F;
  }
  if (begin < end) add_values_between<kCore, R>(tile, first, head_dim, values, begin, end);
  for (std::size_t r = first; r < first + R; ++r) {
    if (tile.end[r] <= end) continue;
    tile.correction[r] = 1.0F;
    add_values_between<kCore, 1>(tile, r, head_dim, values, end, tile.end[r]);
  }
}

/// Into how many rows at a time, at most kRowGroup, `rows` are cut as evenly as can be.
constexpr std::size_t even_group(std::size_t rows) { return div_ceil(rows, div_ceil(rows, kRowGroup)); }

/// Rows whose values are added together. What only some of them see is added row by row, so of a block that the tile's
/// rows do not all see they are those of one token, which see the same, if no more than kRowGroup; of groups of 3 heads
/// and less as many tokens as fit. Tiles of 24 rows do not begin with a token where heads are 5, or 7 and more; tiles
/// of whole tokens are no faster then (Zen 4, 512 tokens in groups of 5 and 7 1.0 and 0.98 to 0.99 times).
inline std::size_t value_group(AttendTile const& tile, std::size_t heads) {
  if (tile.all_see_all) return even_group(tile.rows);
  return heads <= kRowGroup ? kRowGroup / heads * heads : even_group(heads);
}

/// Calls body(row count as a constant, first row) for `most` rows at a time, at most kRowGroup.
template <class Body>
HWY_INLINE void for_each_group(std::size_t rows, std::size_t most, Body&& body) {
  for (std::size_t first = 0; first < rows; first += most) {
    switch (std::min(most, rows - first)) {
      case 1: body(std::integral_constant<std::size_t, 1>(), first); break;
      case 2: body(std::integral_constant<std::size_t, 2>(), first); break;
      case 3: body(std::integral_constant<std::size_t, 3>(), first); break;
      case 4: body(std::integral_constant<std::size_t, 4>(), first); break;
      case 5: body(std::integral_constant<std::size_t, 5>(), first); break;
      default: body(std::integral_constant<std::size_t, 6>(), first); break;
    }
  }
}

/// One block for all rows of a tile. `next`: the one after it, whose keys travel while this one's are read, and whose
/// values do. Only the first group of rows fetches ahead. Half a block ahead (this one's values, then the next one's
/// keys) one thread of Zen 5 reads 28 instead of 33 GB/s, two read the same.
template <Core kCore, class E>
void attend_block(AttendTile& tile, AttendArgs const& args, KvBlockRef const& block, KvBlockRef const& next) noexcept {
  auto const* const keys = reinterpret_cast<E const*>(block.k);
  auto const* const values = reinterpret_cast<E const*>(block.v);
  tile.ahead.start(next.k);
  for_each_group(tile.rows, even_group(tile.rows), [&](auto rows, std::size_t first) HWY_ATTR {
    dot_keys<kCore, rows()>(tile, first, args.head_dim, keys);
    tile.ahead.advance = 0;
  });
  weigh_rows(tile, args.scale);
  correct_sums(tile);
  tile.clear_outputs(args.head_dim);
  tile.ahead.start(next.v);
  for_each_group(tile.rows, value_group(tile, args.group), [&](auto rows, std::size_t first) HWY_ATTR {
    add_values<kCore, rows()>(tile, first, args.head_dim, values);
    tile.ahead.advance = 0;
  });
}

/// Rows [first, first + count) of the queries, over all blocks that any of them sees.
template <Core kCore>
void attend_tile(AttendArgs const& args, std::size_t first, std::size_t count) noexcept {
  AttendTile tile(args, first, count);
  for (std::size_t b = tile.first_block(); b <= tile.last_block(); ++b) {
    tile.enter(b);
    KvBlockRef const& next = args.blocks[std::min(b + 1, tile.last_block())];
    if (args.element == KvElement::kF16) {
      attend_block<kCore, Half>(tile, args, args.blocks[b], next);
    } else {
      attend_block<kCore, float>(tile, args, args.blocks[b], next);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    for_each_run(args.head_dim, [&](auto d, std::size_t j) HWY_ATTR {
      hn::StoreU(hn::Div(hn::LoadU(d, tile.out[i] + j), hn::Set(d, tile.sum[i])), d, tile.result[i] + j);
    });
  }
}

template <Core kCore>
void attend(AttendArgs const& args) noexcept {
  std::size_t const rows = args.q.rows * args.group;
  std::size_t const tile = std::clamp(args.group, kTileRows, kMaxTileRows);
  for (std::size_t first = 0; first < rows; first += tile) {
    attend_tile<kCore>(args, first, std::min(tile, rows - first));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_ATTENTION_INL_HPP
