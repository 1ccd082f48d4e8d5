#!/bin/bash
# clang-tidy over the library's headers, one instruction set's kernels, the examples and the benchmarks.
#
#   bash cmake/tidy.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake --preset clang >/dev/null

# The headers are seen once, through a file that includes them all, and not again through each program.
everything=build-clang/every_header.cpp
git ls-files 'include/lamina/*.hpp' | grep -v -e '-inl\.hpp$' -e /cuda/ -e /mpi/ -e kernels/targets.hpp |
  sed 's|^include/\(.*\)|#include "\1"|' >"$everything"
flags=(-std=c++20 -Iinclude)
for name in lamina eigen3 xsimd; do
  read -ra more <<<"$(pkg-config --cflags "$name" 2>/dev/null || true)"
  flags+=("${more[@]}")
done

{
  printf '%s\0' "clang-tidy-19 --quiet $everything -- ${flags[*]} -DLAMINA_COMPILED_KERNELS"
  printf '%s\0' "clang-tidy-19 --quiet -p build-clang cmake/kernels/avx2.cpp"
  for file in $(git ls-files 'examples/*.cpp' 'bench/*.cpp'); do
    printf '%s\0' "clang-tidy-19 --quiet -p build-clang --header-filter='$(dirname "$file")/.*' $file"
  done
} | xargs -0 -P "$(nproc)" -I{} bash -c '{} 2> >(grep -v "warnings generated" >&2)'
echo "clang-tidy: no finding"
