// The pass's kernels, collected. Included once per target by pass-inl.hpp: no guard.

namespace lamina::inline v0_1 {
namespace HWY_NAMESPACE {

inline constexpr KernelTable kTable = {
    .target = LAMINA_PASS_TARGET,
    .name = LAMINA_PASS_NAME,
    .bit_exact = LAMINA_PASS_EXACT == 1,
    .quantize_rows = quantize_rows,
    .matmul = matmul,
    .embed = reference::embed,
    .rms_norm = rms_norm,
    .rope_frequencies = rope_frequencies,
    .rope_scale = rope_scale,
    .rope_angles = rope_angles,
    .rope = rope,
    .store_kv = store_kv,
    .attend = attend,
    .silu_gate = silu_gate,
    .softmax = softmax,
};

}  // namespace HWY_NAMESPACE
}  // namespace lamina::inline v0_1
