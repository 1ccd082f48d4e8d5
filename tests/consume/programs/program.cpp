// The plain consumer: one file, one include.
#include <cstdio>

#include "fingerprint.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::printf("%016llx\n", static_cast<unsigned long long>(consumer::fingerprint(argv[1])));
}
