// The host's program: its own kernel, by Highway's dispatch where the host compiled it for all targets, then lamina's.
namespace host {

#ifdef HWY_TARGET_INCLUDE
HWY_EXPORT(sum);
inline float sum_of(float const* x, std::size_t n) { return HWY_DYNAMIC_DISPATCH(sum)(x, n); }
#else
inline float sum_of(float const* x, std::size_t n) { return HWY_STATIC_DISPATCH(sum)(x, n); }
#endif

}  // namespace host

int main() {
  float x[64];
  for (int i = 0; i < 64; ++i) x[i] = static_cast<float>(i);
  if (host::sum_of(x, 64) != 2016.0F) return 1;
  return lamina_works() ? 0 : 2;
}
