#include "fingerprint.hpp"

std::uint64_t fingerprint_in_other_unit(char const* path);
std::uint64_t fingerprint_in_other_unit(char const* path) { return consumer::fingerprint(path); }
