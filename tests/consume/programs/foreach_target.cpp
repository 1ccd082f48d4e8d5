// A host with its own use of foreach_target.h, before lamina in the same translation unit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "foreach_target.cpp"
#include "hwy/foreach_target.h"

#include "host-inl.hpp"

#if HWY_ONCE

#include "fingerprint.hpp"

#include <cstdio>
#include <numeric>

namespace host {
HWY_EXPORT(sum);
float sum(float const* x, std::size_t n) { return HWY_DYNAMIC_DISPATCH(sum)(x, n); }
}  // namespace host

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  float numbers[100];
  std::iota(std::begin(numbers), std::end(numbers), 1.0F);
  if (host::sum(numbers, 100) != 5050.0F) return 1;
  std::printf("%016llx\n", static_cast<unsigned long long>(consumer::fingerprint(argv[1])));
}

#endif
