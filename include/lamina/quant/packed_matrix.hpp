// A weight matrix packed for the kernels: panels of 16 interleaved rows, made once at load, in parallel, or mapped from
// a file that holds them.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "lamina/core/aligned.hpp"
#include "lamina/core/error.hpp"
#include "lamina/core/executor.hpp"
#include "lamina/core/numeric.hpp"
#include "lamina/quant/formats.hpp"

namespace lamina::inline v0_1 {

/// The view of a packed matrix, but for its data; nothing where the format's block does not divide cols, or the size
/// does not fit.
constexpr std::optional<PackedView> packed_view(Format format, std::size_t rows, std::size_t cols) noexcept {
  FormatTraits const& t = traits(format);
  if (cols % t.block != 0) return std::nullopt;
  auto const panel = checked_mul(cols / t.block, t.panel_block_bytes);
  if (!panel || !checked_mul(div_ceil(rows, kPanelRows), *panel)) return std::nullopt;
  return PackedView{format, nullptr, rows, cols, *panel};
}

/// Bytes of all panels of a packed matrix; nothing where packed_view gives nothing.
constexpr std::optional<std::size_t> packed_bytes(Format format, std::size_t rows, std::size_t cols) noexcept {
  auto const view = packed_view(format, rows, cols);
  return view ? std::optional(view->bytes()) : std::nullopt;
}

/// Owns the panels of one matrix, or refers to panels that others keep. Moves, does not copy.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// Refers to panels, which must stay there as long as the matrix.
  explicit PackedMatrix(PackedView const& panels) noexcept : view_(panels) {}
  /// All weights zero: where there is an arena that has room, in it, and its memory must then stay as long as the
  /// matrix. Precondition: the arena has not been reset, so that its memory is zero. Throws Error{kShape} where rows or
  /// cols is zero, the format's block does not divide cols, or the size does not fit; std::bad_alloc where the memory
  /// is not to be had.
  PackedMatrix(Format format, std::size_t rows, std::size_t cols, Arena* arena = nullptr) {
    FormatTraits const& t = traits(format);
    if (rows == 0 || cols == 0 || cols % t.block != 0) {
      fail(Errc::kShape, "a ", t.name, " matrix of ", rows, " rows by ", cols,
           " columns: columns must be a multiple of ", t.block, " and neither may be zero");
    }
    auto const view = packed_view(format, rows, cols);
    if (!view) fail(Errc::kShape, "a ", t.name, " matrix of ", rows, " rows by ", cols, " columns does not fit memory");
    if (arena != nullptr && arena->fits<std::byte>(view->bytes())) {
      data_ = arena->take<std::byte>(view->bytes()).data();
    } else {
      panels_ = AlignedBuffer<std::byte>(view->bytes());
      data_ = panels_.data();
    }
    view_ = *view;
    view_.data = data_;
  }
  PackedMatrix(PackedMatrix&& other) noexcept
      : panels_(std::move(other.panels_)),
        data_(std::exchange(other.data_, nullptr)),
        view_(std::exchange(other.view_, PackedView{})) {}
  PackedMatrix& operator=(PackedMatrix&& other) noexcept {
    panels_ = std::move(other.panels_);
    data_ = std::exchange(other.data_, nullptr);
    view_ = std::exchange(other.view_, PackedView{});
    return *this;
  }
  ~PackedMatrix() = default;

  [[nodiscard]] PackedView view() const noexcept { return view_; }
  /// Null where the matrix only refers to panels.
  [[nodiscard]] std::byte* data() noexcept { return data_; }

 private:
  AlignedBuffer<std::byte> panels_;  // empty where they lie in an arena, or belong to others
  std::byte* data_ = nullptr;
  PackedView view_;
};

namespace detail {

/// A piece of a row that holds whole blocks of every format.
inline constexpr std::size_t kPiece = 256;
static_assert(std::ranges::all_of(kFormats, [](FormatTraits const& t) { return kPiece % t.block == 0; }));

/// A thread packs this much at a time, so that what lies ahead of it in memory is mostly its own next work.
inline constexpr std::size_t kPackBytes = std::size_t{128} << 10;

/// The n_blocks blocks as floats.
template <WeightFormat F>
void dequantize_blocks(typename F::Block const* blocks, std::size_t n_blocks, float* out) noexcept {
  for (std::size_t b = 0; b < n_blocks; ++b) F::dequantize(blocks[b], out + b * F::kBlock);
}

/// The bits of the largest magnitude, which are ordered as magnitudes are: infinity and NaN come last. Bits, since a
/// host's -ffast-math would fold std::isfinite.
inline std::uint32_t largest_magnitude(std::span<float const> x) noexcept {
  std::uint32_t largest = 0;
  for (float const value : x) largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffff);
  return largest;
}

/// The inverse of dequantize_blocks, into one row of a panel. Whether all weights are finite, and stay so.
template <WeightFormat F>
bool quantize_blocks(float const* in, std::size_t n_blocks, std::size_t row, typename F::PanelBlock* panel) noexcept {
  constexpr std::uint32_t kInfinity = 0x7f800000;
  constexpr auto kSafe = std::bit_cast<std::uint32_t>(32768.0F);  // every format has finite numbers for what is below
  std::uint32_t const largest = largest_magnitude({in, n_blocks * F::kBlock});
  bool finite = largest < kInfinity;
  for (std::size_t b = 0; b < n_blocks; ++b) {
    typename F::Block block;
    F::quantize(in + b * F::kBlock, block);
    F::pack(block, row, panel[b]);
    if (largest < kSafe) continue;
    float kept[F::kBlock];
    F::dequantize(block, kept);
    finite = finite && largest_magnitude(kept) < kInfinity;
  }
  return finite;
}

/// Packs the rows of one panel, stored one after the other, without conversion: two cache lines or more of each row in
/// turn. Meanwhile as many bytes of what follows the rows in memory are fetched, since 16 rows at once are more streams
/// than hardware prefetches: with both, a Zen 3 core packs Q4_0 from memory at 5.0 instead of 1.6 GB/s, F16 at 3.4
/// instead of 1.2.
template <WeightFormat F>
void pack_blocks(typename F::Block const* first_row, std::size_t n_rows, std::size_t n_blocks,
                 typename F::PanelBlock* panel) noexcept {
  constexpr std::size_t kRun = div_ceil(2 * kAlignment, sizeof(typename F::Block));
  auto const* ahead = reinterpret_cast<std::byte const*>(first_row + n_rows * n_blocks);
  for (std::size_t begin = 0; begin < n_blocks; begin += kRun) {
    std::size_t const end = std::min(begin + kRun, n_blocks);
    for (std::size_t r = 0; r < n_rows; ++r) {
      std::size_t const bytes = (end - begin) * sizeof(typename F::Block);
      for (std::size_t i = 0; i < bytes; i += kAlignment) __builtin_prefetch(ahead + i);
      ahead += bytes;
      for (std::size_t b = begin; b < end; ++b) F::pack(first_row[r * n_blocks + b], r, panel[b]);
    }
  }
}

inline void lower_to(std::atomic<std::size_t>& least, std::size_t value) noexcept {
  for (std::size_t seen = least; value < seen && !least.compare_exchange_weak(seen, value);) {}
}

/// Packs the rows of one panel: stored blocks of one format, kept as another or the same. Returns the first row whose
/// weights are not all finite in both formats, where these differ; n_rows where there is none.
inline std::size_t pack_panel_of(Format stored, Format target, std::byte const* first_row, std::size_t n_rows,
                                 std::size_t cols, std::byte* panel) noexcept {
  if (stored == target) {
    visit_format(stored, [&]<WeightFormat F>() {
      pack_blocks<F>(reinterpret_cast<typename F::Block const*>(first_row), n_rows, cols / F::kBlock,
                     reinterpret_cast<typename F::PanelBlock*>(panel));
    });
    return n_rows;
  }
  std::size_t first_bad = n_rows;
  float weights[kPiece];
  std::size_t const bytes_per_row = row_bytes(stored, cols);
  for (std::size_t c = 0; c < cols; c += kPiece) {
    std::size_t const n = std::min(kPiece, cols - c);
    for (std::size_t r = 0; r < n_rows; ++r) {
      visit_format(stored, [&]<WeightFormat F>() {
        auto const* blocks = reinterpret_cast<typename F::Block const*>(first_row + r * bytes_per_row);
        dequantize_blocks<F>(blocks + c / F::kBlock, n / F::kBlock, weights);
      });
      visit_format(target, [&]<WeightFormat F>() {
        auto* blocks = reinterpret_cast<typename F::PanelBlock*>(panel);
        bool const finite = quantize_blocks<F>(weights, n / F::kBlock, r, blocks + c / F::kBlock);
        if (!finite) first_bad = std::min(first_bad, r);
      });
    }
  }
  return first_bad;
}

// Quantizers divide and multiply floats: in the compiled library they are out of reach of a host's -ffast-math.
#if defined(LAMINA_COMPILED_KERNELS)
std::size_t pack_panel(Format stored, Format target, std::byte const* first_row, std::size_t n_rows, std::size_t cols,
                       std::byte* panel) noexcept;
#else
inline std::size_t pack_panel(Format stored, Format target, std::byte const* first_row, std::size_t n_rows,
                              std::size_t cols, std::byte* panel) noexcept {
  return pack_panel_of(stored, target, first_row, n_rows, cols, panel);
}
#endif

/// The panel of a view, as the format's blocks.
template <WeightFormat F>
typename F::PanelBlock const* panel_of(PackedView const& w, std::size_t panel) noexcept {
  return reinterpret_cast<typename F::PanelBlock const*>(w.data + panel * w.panel_bytes);
}

}  // namespace detail

/// Packs `rows` x `cols` weights, stored row by row in blocks of `stored` (GGUF's bytes), as panels of `target`.
/// Where the formats differ each block is dequantized, and quantized as ggml's reference quantizer does.
/// Throws Error{kShape} where the bytes disagree with the shape, or a block does not divide cols; Error{kNotFinite}
/// where weights that are to be converted hold NaN or infinity, which a quantizer would make numbers, or become
/// infinite. `arena`: see PackedMatrix.
template <Executor E>
PackedMatrix pack_matrix(Format stored, std::span<std::byte const> bytes, std::size_t rows, std::size_t cols,
                         Format target, E& executor, Arena* arena = nullptr) {
  FormatTraits const& s = traits(stored);
  auto const size = checked_mul(rows, row_bytes(stored, cols));
  if (cols % s.block != 0 || size != bytes.size()) {
    fail(Errc::kShape, bytes.size(), " bytes of ", s.name, " weights do not make ", rows, " rows of ", cols);
  }
  PackedMatrix packed(target, rows, cols, arena);
  PackedView const view = packed.view();
  std::byte* const out = packed.data();
  std::size_t const bytes_per_row = row_bytes(stored, cols);
  // One part of the matrix for each thread, packed piece by piece. Consecutive tasks are of different parts: threads
  // next to each other would touch the same new huge page, and each would zero it (4 instead of 6 GB/s on two threads).
  std::size_t const threads = std::max<std::size_t>(executor.concurrency(), 1);
  std::size_t const panels_per_task = div_ceil(detail::kPackBytes, view.panel_bytes);
  std::size_t const tasks_per_part = div_ceil(view.panels(), threads * panels_per_task);
  std::atomic<std::size_t> first_bad = rows;
  executor.run(threads * tasks_per_part, [&](std::size_t i) {
    std::size_t const begin = (i % threads * tasks_per_part + i / threads) * panels_per_task;
    std::size_t const end = std::min(begin + panels_per_task, view.panels());
    for (std::size_t p = begin; p < end; ++p) {
      std::size_t const first = p * kPanelRows;
      std::size_t const n_rows = std::min(kPanelRows, rows - first);
      std::size_t const bad = detail::pack_panel(stored, target, bytes.data() + first * bytes_per_row, n_rows, cols,
                                                 out + p * view.panel_bytes);
      if (bad < n_rows) detail::lower_to(first_bad, first + bad);
    }
  });
  if (first_bad < rows) {
    fail(Errc::kNotFinite, "row ", first_bad.load(), " holds NaN, infinity, or weights that are too large for ",
         traits(target).name);
  }
  return packed;
}

/// Writes the matrix back as GGUF stores it, row by row: the inverse of packing without conversion, to the bit.
/// Precondition: out has rows * row_bytes(format, cols) bytes.
inline void unpack_matrix(PackedView const& w, std::span<std::byte> out) {
  visit_format(w.format, [&]<WeightFormat F>() {
    auto* blocks = reinterpret_cast<typename F::Block*>(out.data());
    std::size_t const per_row = w.cols / F::kBlock;
    for (std::size_t r = 0; r < w.rows; ++r) {
      auto const* panel = detail::panel_of<F>(w, r / kPanelRows);
      for (std::size_t b = 0; b < per_row; ++b) F::unpack(panel[b], r % kPanelRows, blocks[r * per_row + b]);
    }
  });
}

}  // namespace lamina::inline v0_1
