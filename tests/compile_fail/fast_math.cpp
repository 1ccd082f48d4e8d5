// fails with: lamina: -ffast-math.*lamina::kernels
// Header-only, a host's -ffast-math would change bits. The macro is what compilers define for that option.
#undef LAMINA_COMPILED_KERNELS
#ifdef BAD
#define __FAST_MATH__ 1
#else
#define LAMINA_COMPILED_KERNELS
#endif
#include "lamina/kernels/dispatch.hpp"
