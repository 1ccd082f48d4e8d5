// Matrix products: panels of 16 rows times tiles of activation rows, in the order that the numeric contract fixes.
//
// A tile is a panel times R rows of activations. Its weights are loaded and unpacked once for the R rows; a lane is an
// output row, so there are no sums across lanes. The panel stays in the L1 or L2 cache while the tiles of a chunk of
// rows pass; the chunk stays in the L2 cache while the panels pass.

#if defined(LAMINA_KERNELS_PRODUCT_INL_HPP) == defined(LAMINA_TARGET_TOGGLE)
#ifdef LAMINA_KERNELS_PRODUCT_INL_HPP
#undef LAMINA_KERNELS_PRODUCT_INL_HPP
#else
#define LAMINA_KERNELS_PRODUCT_INL_HPP
#endif

#include "lamina/kernels/dot-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {
namespace tiles {
namespace hn = hwy::HWY_NAMESPACE;
using dot::Floats;
using dot::FloatTag;
using dot::Ints;
using dot::IntTag;
using dot::kLanes;
using dot::kVectors;

/// Calls f with the constants 0 .. N - 1. A loop with `#pragma unroll` leaves arrays of registers in memory at -O2.
template <std::size_t N, class F>
HWY_INLINE void unroll(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>)
      LAMINA_INLINED { (f(std::integral_constant<std::size_t, I>{}), ...); }(std::make_index_sequence<N>{});
}

/// kLanes binary16 numbers as float.
HWY_INLINE Floats load_half(Half const* p) {
  hn::Rebind<hwy::float16_t, FloatTag> const tag;
  return hn::PromoteTo(FloatTag(), hn::LoadU(tag, reinterpret_cast<hwy::float16_t const*>(p)));
}

/// kLanes bfloat16 numbers as float.
HWY_INLINE Floats load_bfloat16(Bfloat16 const* p) {
  hn::RebindToUnsigned<FloatTag> const tag32;
  hn::Rebind<std::uint16_t, FloatTag> const tag16;
  auto const bits = hn::PromoteTo(tag32, hn::LoadU(tag16, reinterpret_cast<std::uint16_t const*>(p)));
  return hn::BitCast(FloatTag(), hn::ShiftLeft<16>(bits));
}

// ---------------------------------------------------------------- weights of a step

/// How a quantized format's panel block is cut into steps: kRegisters registers of weights at a time, and the column at
/// which the 4 activations of each begin.
struct StepsQ4_0 {
  using Format = quant::Q4_0;
  using Dot = dot::Nibbles;
  static constexpr std::size_t kSteps = 4;
  static constexpr std::size_t kRegisters = 2;
  static constexpr std::size_t column(std::size_t step, std::size_t i) { return 16 * i + 4 * step; }

  static HWY_INLINE void load(Format::PanelBlock const& block, std::size_t step, std::size_t v, Dot::W* w) {
    dot::ByteTag const tag;
    auto const low = hn::Set(tag, std::uint8_t{15});
    auto const both = dot::load_bytes(block.q[step][v * kLanes]);
    hn::Repartition<std::uint16_t, dot::ByteTag> const tag16;
    auto const shifted = hn::BitCast(tag, hn::ShiftRight<4>(hn::BitCast(tag16, both)));
    w[0] = Dot::prepare(hn::And(both, low));
    w[1] = Dot::prepare(hn::And(shifted, low));
  }
};

struct StepsQ8_0 {
  using Format = quant::Q8_0;
  using Dot = dot::Bytes;
  static constexpr std::size_t kSteps = 8;
  static constexpr std::size_t kRegisters = 1;
  static constexpr std::size_t column(std::size_t step, std::size_t) { return 4 * step; }

  static HWY_INLINE void load(Format::PanelBlock const& block, std::size_t step, std::size_t v, Dot::W* w) {
    w[0] = Dot::prepare(dot::load_bytes(block.q[step][v * kLanes]));
  }
};

// ---------------------------------------------------------------- tiles

/// Activation rows of the largest tile.
#if HWY_MAX_BYTES == 64
inline constexpr std::size_t kQuantizedRows = 8;
inline constexpr std::size_t kFloatRows = 8;
#else
inline constexpr std::size_t kQuantizedRows = 4;
inline constexpr std::size_t kFloatRows = 4;
#endif

/// A panel of quantized weights times R rows of activations. out: [R][16].
template <class Steps, std::size_t R>
void quantized_tile(typename Steps::Format::PanelBlock const* panel, std::size_t blocks, QuantizedRows const& x,
                    float* out) noexcept {
  using Dot = typename Steps::Dot;
  FloatTag const tag;
  IntTag const int_tag;
  Floats acc[R][kVectors];
  unroll<R>([&](auto r)
                LAMINA_INLINED { unroll<kVectors>([&](auto v) LAMINA_INLINED { acc[r][v] = hn::Zero(tag); }); });

  for (std::size_t b = 0; b < blocks; ++b) {
    auto const& block = panel[b];
    std::int8_t const* q = x.q + b * kActivationBlock;
    typename Dot::Acc dots[R][kVectors];
    unroll<R>([&](auto r)
                  LAMINA_INLINED { unroll<kVectors>([&](auto v) LAMINA_INLINED { dots[r][v] = Dot::start(); }); });
    unroll<Steps::kSteps>([&](auto step) LAMINA_INLINED {
      typename Dot::W w[kVectors][Steps::kRegisters];
      unroll<kVectors>([&](auto v) LAMINA_INLINED { Steps::load(block, step, v, w[v]); });
      unroll<R>([&](auto r) LAMINA_INLINED {
        unroll<Steps::kRegisters>([&](auto i) LAMINA_INLINED {
          Ints const four = dot::broadcast4(q + r * x.cols + Steps::column(step, i));
          unroll<kVectors>([&](auto v) LAMINA_INLINED { dots[r][v] = Dot::add(dots[r][v], w[v][i], four); });
        });
      });
    });
    Floats w_scale[kVectors];
    unroll<kVectors>([&](auto v) LAMINA_INLINED { w_scale[v] = load_half(block.d + v * kLanes); });
    unroll<R>([&](auto r) LAMINA_INLINED {
      Floats const x_scale = hn::Set(tag, x.scale[r * blocks + b]);
      unroll<kVectors>([&](auto v) LAMINA_INLINED {
        Ints sum = Dot::sum(dots[r][v]);
        if constexpr (Dot::kOffset != 0) {
          Ints const x_sum = hn::Set(int_tag, x.sum[r * blocks + b]);
          sum = hn::Sub(sum, hn::ShiftLeft<std::countr_zero(static_cast<unsigned>(Dot::kOffset))>(x_sum));
        }
        acc[r][v] = hn::MulAdd(hn::ConvertTo(tag, sum), hn::Mul(w_scale[v], x_scale), acc[r][v]);
      });
    });
  }
  unroll<R>([&](auto r) LAMINA_INLINED {
    unroll<kVectors>([&](auto v) LAMINA_INLINED { hn::StoreU(acc[r][v], tag, out + r * kPanelRows + v * kLanes); });
  });
}

HWY_INLINE Floats load_column(quant::F32::PanelBlock const& column, std::size_t v) {
  return hn::LoadU(FloatTag(), column.w + v * kLanes);
}
HWY_INLINE Floats load_column(quant::F16::PanelBlock const& column, std::size_t v) {
  return load_half(column.w + v * kLanes);
}
HWY_INLINE Floats load_column(quant::BF16::PanelBlock const& column, std::size_t v) {
  return load_bfloat16(column.w + v * kLanes);
}

/// A panel of float weights times R rows of activations. out: [R][16].
template <WeightFormat F, std::size_t R>
void float_tile(typename F::PanelBlock const* panel, std::size_t cols, MatrixView<float const> const& x,
                float* out) noexcept {
  FloatTag const tag;
  Floats acc[R][kVectors];
  unroll<R>([&](auto r)
                LAMINA_INLINED { unroll<kVectors>([&](auto v) LAMINA_INLINED { acc[r][v] = hn::Zero(tag); }); });
  for (std::size_t k = 0; k < cols; ++k) {
    Floats w[kVectors];
    unroll<kVectors>([&](auto v) LAMINA_INLINED { w[v] = load_column(panel[k], v); });
    unroll<R>([&](auto r) LAMINA_INLINED {
      Floats const one = hn::Set(tag, x.data[r * x.stride + k]);
      unroll<kVectors>([&](auto v) LAMINA_INLINED { acc[r][v] = hn::MulAdd(w[v], one, acc[r][v]); });
    });
  }
  unroll<R>([&](auto r) LAMINA_INLINED {
    unroll<kVectors>([&](auto v) LAMINA_INLINED { hn::StoreU(acc[r][v], tag, out + r * kPanelRows + v * kLanes); });
  });
}

// ---------------------------------------------------------------- the product

/// Writes a tile's results, [rows][16], to columns first .. first + n - 1 of y.
HWY_INLINE void store_tile(float const* tile, std::size_t rows, std::size_t n, float* y, std::size_t stride,
                           Epilogue epilogue) {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < n; ++i) {
      float& out = y[r * stride + i];
      out = epilogue == Epilogue::kAdd ? out + tile[r * kPanelRows + i] : tile[r * kPanelRows + i];
    }
  }
}

/// A panel times any number of rows, R at a time and the rest in halves of that. tile(constant<R>, first_row, out).
template <std::size_t R, class Tile>
HWY_INLINE void panel_rows(std::size_t first, std::size_t last, std::size_t n, MatrixView<float> y, Epilogue epilogue,
                           Tile const& tile) {
  alignas(kAlignment) float out[R * kPanelRows];
  while (last - first >= R) {
    tile(std::integral_constant<std::size_t, R>{}, first, out);
    store_tile(out, R, n, y.data + first * y.stride, y.stride, epilogue);
    first += R;
  }
  if constexpr (R > 1) {
    if (first < last) panel_rows<R / 2>(first, last, n, y, epilogue, tile);
  }
}

/// Loops over chunks of rows and panels. tile(constant<R>, panel, first_row, out) computes R rows of one panel.
template <std::size_t R, class Tile>
HWY_INLINE void for_panels(PackedView const& w, std::size_t first_panel, std::size_t last_panel, std::size_t row_bytes,
                           MatrixView<float> y, Epilogue epilogue, Tile const& tile) {
  constexpr std::size_t kChunkBytes = std::size_t{256} << 10;  // of activations: half of the smallest L2 cache in use
  std::size_t const chunk = std::max(round_up(kChunkBytes / row_bytes, R), R);
  for (std::size_t row = 0; row < y.rows; row += chunk) {
    std::size_t const end = std::min(row + chunk, y.rows);
    for (std::size_t p = first_panel; p < last_panel; ++p) {
      std::size_t const column = p * kPanelRows;
      std::size_t const n = std::min(w.rows - column, kPanelRows);
      MatrixView<float> const out(y.data + column, y.rows, n, y.stride);
      panel_rows<R>(row, end, n, out, epilogue,
                    [&](auto rows, std::size_t first, float* result) LAMINA_INLINED { tile(rows, p, first, result); });
    }
  }
}

template <class Steps>
void quantized_matmul(PackedView const& w, std::size_t first_panel, std::size_t last_panel, QuantizedRows const& x,
                      MatrixView<float> y, Epilogue epilogue) noexcept {
  for_panels<kQuantizedRows>(w, first_panel, last_panel, x.cols, y, epilogue,
                             [&](auto rows, std::size_t panel, std::size_t first, float* out) LAMINA_INLINED {
                               quantized_tile<Steps, rows>(detail::panel_of<typename Steps::Format>(w, panel),
                                                           x.blocks(), x.slice(first, rows), out);
                             });
}

template <WeightFormat F>
void float_matmul(PackedView const& w, std::size_t first_panel, std::size_t last_panel,
                  MatrixView<float const> const& x, MatrixView<float> y, Epilogue epilogue) noexcept {
  for_panels<kFloatRows>(w, first_panel, last_panel, x.cols * sizeof(float), y, epilogue,
                         [&](auto rows, std::size_t panel, std::size_t first, float* out) LAMINA_INLINED {
                           float_tile<F, rows>(detail::panel_of<F>(w, panel), w.cols, x.slice(first, rows), out);
                         });
}

}  // namespace tiles

/// See KernelTable::matmul.
inline void matmul(PackedView const& w, std::size_t first_panel, std::size_t last_panel, Activations const& x,
                   MatrixView<float> y, Epilogue epilogue) noexcept {
  switch (w.format) {
    case Format::kF32: return tiles::float_matmul<quant::F32>(w, first_panel, last_panel, x.f32, y, epilogue);
    case Format::kF16: return tiles::float_matmul<quant::F16>(w, first_panel, last_panel, x.f32, y, epilogue);
    case Format::kBF16: return tiles::float_matmul<quant::BF16>(w, first_panel, last_panel, x.f32, y, epilogue);
    case Format::kQ8_0: return tiles::quantized_matmul<tiles::StepsQ8_0>(w, first_panel, last_panel, x.q8, y, epilogue);
    case Format::kQ4_0: return tiles::quantized_matmul<tiles::StepsQ4_0>(w, first_panel, last_panel, x.q8, y, epilogue);
  }
}

/// See KernelTable::quantize_rows and reference::quantize_rows.
inline void quantize_rows(MatrixView<float const> x, QuantizedRows const& out) noexcept {
  namespace hn = hwy::HWY_NAMESPACE;
  tiles::FloatTag const tag;
  tiles::IntTag const int_tag;
  constexpr std::size_t kLanes = tiles::kLanes;
  constexpr std::size_t kParts = kActivationBlock / kLanes;
  hn::Rebind<std::int8_t, tiles::IntTag> const byte_tag;
  auto const magnitude = hn::Set(int_tag, 0x7fffffff);
  std::size_t const blocks = out.blocks();
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t b = 0; b < blocks; ++b) {
      float const* in = x.data + r * x.stride + b * kActivationBlock;
      std::int8_t* q = out.q + r * out.cols + b * kActivationBlock;
      tiles::Floats values[kParts];
      tiles::Ints max_bits = hn::Zero(int_tag);
      tiles::unroll<kParts>([&](auto i) LAMINA_INLINED {
        values[i] = hn::LoadU(tag, in + i * kLanes);
        max_bits = hn::Max(max_bits, hn::And(hn::BitCast(int_tag, values[i]), magnitude));
      });
      auto const bits = static_cast<std::uint32_t>(hn::GetLane(hn::MaxOfLanes(int_tag, max_bits)));
      float const max = std::bit_cast<float>(bits);
      bool const finite = bits < 0x7f800000u;
      bool const zero = !finite || max < kSmallestActivation;
      if (HWY_UNLIKELY(zero)) {
        std::memset(q, 0, kActivationBlock);
        out.scale[r * blocks + b] = finite ? 0.0F : std::numeric_limits<float>::quiet_NaN();
        out.sum[r * blocks + b] = 0;
        continue;
      }
      auto const inverse = hn::Set(tag, 127.0F / max);
      tiles::Ints sum = hn::Zero(int_tag);
      tiles::unroll<kParts>([&](auto i) LAMINA_INLINED {
        auto const rounded = hn::NearestInt(hn::Mul(values[i], inverse));
        sum = hn::Add(sum, rounded);
        hn::StoreU(hn::DemoteTo(byte_tag, rounded), byte_tag, q + i * kLanes);
      });
      out.scale[r * blocks + b] = max / 127.0F;
      out.sum[r * blocks + b] = hn::GetLane(hn::SumOfLanes(int_tag, sum));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
HWY_AFTER_NAMESPACE();

#endif  // LAMINA_KERNELS_PRODUCT_INL_HPP
