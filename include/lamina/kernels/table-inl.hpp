// The pass's kernels, collected. Included once per target by pass-inl.hpp: no guard.

namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {

inline constexpr KernelTable kTable = {
    .target = LAMINA_PASS_TARGET,
    .name = LAMINA_PASS_NAME,
    .bit_exact = LAMINA_PASS_EXACT == 1,
    .rows_at_once = 128,
    .run_parts = 2,
    .quantize_rows = quantize_rows,
    .matmul = matmul<Core::kAny>,
    .embed = reference::embed,
    .rms_norm = rms_norm,
    .rope_frequencies = rope_frequencies,
    .rope_scale = rope_scale,
    .rope_angles = rope_angles,
    .rope = rope,
    .store_kv = store_kv,
    .attend = attend<Core::kAny>,
    .silu_gate = silu_gate,
    .softmax = softmax,
};

#if LAMINA_PASS_VNNI
/// The same for Zen 4.
inline constexpr KernelTable kZen4Table = [] {
  KernelTable table = kTable;
  table.target = Target::kAvx3Zen4;
  table.name = "avx3_zen4";
  table.rows_at_once = 256;
  table.run_parts = 8;
  table.matmul = matmul<Core::kZen4>;
  table.attend = attend<Core::kZen4>;
  return table;
}();

/// The table of Numerics::Fast: the same but for products of BF16 and F16.
template <Core kCore>
inline constexpr KernelTable kBf16Table = [] {
  KernelTable table = kCore == Core::kZen4 ? kZen4Table : kTable;
  table.target = Target::kAvx3Bf16;
  table.name = "avx3_bf16";
  table.bit_exact = false;
  table.matmul = matmul_bf16<kCore>;
  return table;
}();

/// That for the CPU that this runs on.
inline KernelTable const& bf16_table() noexcept {
  return detail::cpu_is_zen4() ? kBf16Table<Core::kZen4> : kBf16Table<Core::kAny>;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
