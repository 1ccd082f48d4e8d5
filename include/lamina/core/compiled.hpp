// Where the larger functions that are no templates are compiled: in every file that uses them, or once in the library
// lamina::kernels.
//
// A header x.hpp declares them; x_impl.hpp defines them as LAMINA_INLINE. x.hpp includes x_impl.hpp at its end unless
// LAMINA_COMPILED_KERNELS is defined, which linking lamina::kernels does.
#pragma once

#if defined(LAMINA_COMPILED_KERNELS)
#define LAMINA_INLINE
#else
#define LAMINA_INLINE inline
#endif
