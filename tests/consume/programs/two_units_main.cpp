// Two translation units that both use lamina: one definition of everything, and the same bits from both.
#include <cstdio>

#include "fingerprint.hpp"

std::uint64_t fingerprint_in_other_unit(char const* path);

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::uint64_t const here = consumer::fingerprint(argv[1]);
  if (here != fingerprint_in_other_unit(argv[1])) return 1;
  std::printf("%016llx\n", static_cast<unsigned long long>(here));
}
