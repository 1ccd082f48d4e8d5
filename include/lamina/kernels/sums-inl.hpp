// The sums of a tile: registers, and where they go.

#if defined(LAMINA_KERNELS_SUMS_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_SUMS_INL_HPP
#undef LAMINA_KERNELS_SUMS_INL_HPP
#else
#define LAMINA_KERNELS_SUMS_INL_HPP
#endif

#include "lamina/kernels/tiles-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {

template <std::size_t R, std::size_t V>
HWY_INLINE void clear(Floats (&acc)[R][V]) {
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    LAMINA_UNROLL
    for (std::size_t v = 0; v < V; ++v) acc[r][v] = hn::Zero(FloatTag());
  }
}

/// Of V registers of output rows, those that lie in one panel, and the panels.
template <std::size_t V>
inline constexpr std::size_t kInPanel = std::min(V, kVectors);
template <std::size_t V>
inline constexpr std::size_t kPanels = V / kInPanel<V>;

/// Where the sums of a tile go: to y, or to a place of their own.
struct Outputs {
  float* at;                 // the first row's first register
  std::size_t row_stride;    // floats from one row to the next
  std::size_t panel_stride;  // floats from one panel's rows to the next one's
  Epilogue epilogue;

  HWY_INLINE float* of(std::size_t r, std::size_t v) const {
    return at + r * row_stride + v / kVectors * panel_stride + v % kVectors * kLanes;
  }
  HWY_INLINE Outputs from_row(std::size_t r) const { return {of(r, 0), row_stride, panel_stride, epilogue}; }
};

/// In y. See Lanes for panel_step.
HWY_INLINE Outputs outputs_in_y(Product const& p, std::size_t vector, std::size_t panel_step, std::size_t first_row) {
  return {p.y.data + first_row * p.y.stride + vector * kLanes, p.y.stride, panel_step * kPanelRows, p.epilogue};
}

/// In an array [R][V * kLanes].
template <std::size_t V>
HWY_INLINE Outputs outputs_in_array(float* sums) {
  return {sums, V * kLanes, kInPanel<V> * kLanes, Epilogue::kStore};
}

/// Whether the last rows of a tile's panels are padding, which has no place in y.
template <std::size_t V>
HWY_INLINE bool has_padding(Product const& p, std::size_t vector, std::size_t panel_step) {
  return p.w.rows < vector * kLanes + (kPanels<V> - 1) * panel_step * kPanelRows + kInPanel<V> * kLanes;
}

/// What a tile of several rows will write, asked for before it computes: rows of y are far apart, and a store that
/// misses the caches holds up those of the next tile (Zen 5: 2 to 4 %).
template <std::size_t R, std::size_t V>
HWY_INLINE void ask_for_outputs(Outputs const& out) {
  for (std::size_t r = 0; r < R; ++r) {
    for (std::size_t v = 0; v < V; v += kInPanel<V>) ask_to_write(out.of(r, v), kInPanel<V> * kLanes);
  }
}

/// acc: from an array [R][V * kLanes].
template <std::size_t R, std::size_t V>
HWY_INLINE void load(float const* sums, Floats (&acc)[R][V]) {
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    LAMINA_UNROLL
    for (std::size_t v = 0; v < V; ++v) acc[r][v] = hn::LoadU(FloatTag(), sums + (r * V + v) * kLanes);
  }
}

template <std::size_t R, std::size_t V>
HWY_INLINE void store(Floats const (&acc)[R][V], Outputs const& out) {
  FloatTag const tag;
  bool const add = out.epilogue == Epilogue::kAdd;
  LAMINA_UNROLL
  for (std::size_t r = 0; r < R; ++r) {
    LAMINA_UNROLL
    for (std::size_t v = 0; v < V; ++v) {
      float* const y = out.of(r, v);
      hn::StoreU(add ? hn::Add(hn::LoadU(tag, y), acc[r][v]) : acc[r][v], tag, y);
    }
  }
}

/// sums, [R][V * kLanes], to y, but for padding.
template <std::size_t R, std::size_t V>
void write_without_padding(Product const& p, std::size_t vector, std::size_t panel_step, std::size_t first_row,
                           float const* sums) noexcept {
  constexpr std::size_t kWidth = kInPanel<V> * kLanes;
  Outputs const out = outputs_in_y(p, vector, panel_step, first_row);
  for (std::size_t r = 0; r < R; ++r) {
    std::size_t column = vector * kLanes;
    for (std::size_t v = 0; v < V; v += kInPanel<V>, sums += kWidth, column += panel_step * kPanelRows) {
      float* const y = out.of(r, v);
      std::size_t const n = std::min(p.w.rows - column, kWidth);
      for (std::size_t j = 0; j < n; ++j) y[j] = p.epilogue == Epilogue::kAdd ? y[j] + sums[j] : sums[j];
    }
  }
}

}  // namespace tiles
}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_SUMS_INL_HPP
