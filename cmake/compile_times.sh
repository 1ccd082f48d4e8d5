#!/bin/bash
# Compiles the smallest program in both modes and prints what each took.
#
#   bash cmake/compile_times.sh [COMPILER...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
((${#} > 0)) || set -- g++ clang++-19

program=$(mktemp --suffix=.cpp)
trap 'rm -f "$program"' EXIT
cat >"$program" <<'PROGRAM'
#include <lamina/lamina.hpp>

int main() {
  auto const model = lamina::AnyModel::load(lamina::Checkpoint::open("model.gguf"), {});
  return model.config().n_vocab > 0 ? 0 : 1;
}
PROGRAM

read -ra eigen <<<"$(pkg-config --cflags eigen3)"
TIMEFORMAT=%R
for compiler in "$@"; do
  for mode in header-only compiled; do
    flags=(-std=c++20 -O2 -Iinclude "${eigen[@]}")
    [[ $mode == compiled ]] && flags+=(-DLAMINA_COMPILED_KERNELS)
    seconds=$({ time "$compiler" "${flags[@]}" -c "$program" -o /dev/null; } 2>&1) || { echo "$seconds"; exit 1; }
    printf 'compile time of the smallest program: %-12s %-12s %s s\n' "$compiler" "$mode" "$seconds"
  done
done
