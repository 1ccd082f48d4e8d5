#!/bin/bash
# Runs one fuzz target for a while, from its committed corpus; new inputs go to a temporary folder.
#
#   tests/fuzz/run.sh BINARY SECONDS
set -euo pipefail
binary=$1
seconds=$2
here=$(dirname "${BASH_SOURCE[0]}")
name=$(basename "$binary")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/")
[[ -f $here/$name.dict ]] && options+=(-dict="$here/$name.dict")

if "$binary" "${options[@]}" "$work" "$here/corpus/$name" >"$work/log" 2>&1; then
  echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") executions, none failed"
else
  tail -60 "$work/log"
  for input in "$work"/crash-* "$work"/oom-* "$work"/timeout-* "$work"/leak-*; do
    if [[ -f $input ]]; then
      echo "$name: input $(basename "$input"), base64:"
      base64 "$input"
    fi
  done
  echo "$name: FAILED"
  exit 1
fi
