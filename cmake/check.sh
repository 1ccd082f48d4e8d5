#!/bin/bash
# Installs what is missing, builds everything with GCC, warnings as errors, and runs all tests.
#
#   bash cmake/check.sh [argument of ctest...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash cmake/install_dependencies.sh
cmake --preset release -DCMAKE_CXX_COMPILER=g++ -DLAMINA_WERROR=ON
cmake --build --preset release -- --quiet
ctest --preset release --parallel "$(nproc)" "$@"
