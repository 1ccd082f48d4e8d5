#!/bin/bash
# Installs, with apt, what lamina is built and tested with on Debian 12. Does nothing where all is there.
#
#   cmake/install_dependencies.sh [build | ci]
#
#   build  what demo.sh and check.sh need: GCC, CMake, the libraries (the default)
#   ci     and what .ci/run needs: Clang 19 with its tools, the Arm cross compiler, QEMU's user mode, Valgrind
set -euo pipefail

build=(g++ cmake ninja-build pkg-config git ca-certificates python3
  libhwy-dev libeigen3-dev libxsimd-dev doctest-dev libbenchmark-dev)
ci=(clang-19 libclang-rt-19-dev clang-format-19 clang-tidy-19 g++-aarch64-linux-gnu qemu-user-static valgrind)

wanted=("${build[@]}")
case "${1:-build}" in
  build) ;;
  ci) wanted+=("${ci[@]}") ;;
  *) echo "usage: $0 [build | ci]" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "dependencies: all ${#wanted[@]} packages are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then as_root=(sudo); fi
echo "dependencies: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
