#!/bin/bash
# Prints the table of README.md: what each format of the tiny model is worth, and how often the draft agrees with it.
#
#   bash examples/tiny_model/measure.sh [BUILD_FOLDER]      needs the programs, which cmake/demo.sh or check.sh builds
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=$(cd "${1:-$here/../../build}/examples" && pwd)

# row NAME FILE [option...]
row() {
  local name=$1 file=$2 bytes accuracy perplexity
  shift 2
  bytes=$( (($# == 0)) && stat --format %s "$file" || echo –)  # converted at load: no such file
  accuracy=$("$programs/accuracy" -m "$file" "$@")
  perplexity=$("$programs/perplexity" -m "$file" -f "$here/heldout.txt" --parse-special "$@")
  group() { awk -v name="$1" '$1 == name { share = $4 } END { print share }' <<<"$accuracy"; }
  printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$name" "$bytes" \
    "$(awk '/^accuracy/ { print $2 }' <<<"$accuracy")" "$(group countries)" "$(group numbers)" "$(group calendar)" \
    "$(group talk)" "$(group unknown)" "$(awk '{ print $2 " ± " $4 }' <<<"$perplexity")"
}

echo '| | bytes | right, % | countries | numbers | calendar | talk | unknown | perplexity |'
echo '| --- | --- | --- | --- | --- | --- | --- | --- | --- |'
row 'F16, as shipped' "$here/tiny-F16.gguf"
row 'F32 (`--convert F32`)' "$here/tiny-F16.gguf" --convert F32
row 'BF16 (`--convert BF16`)' "$here/tiny-F16.gguf" --convert BF16
row 'Q8_0' "$here/tiny-Q8_0.gguf"
row 'Q6_K (`--convert Q6_K`)' "$here/tiny-F16.gguf" --convert Q6_K
row 'Q4_K (`--convert Q4_K`)' "$here/tiny-F16.gguf" --convert Q4_K
row 'Q4_0' "$here/tiny-Q4_0.gguf"
row 'draft, F16' "$here/draft-F16.gguf"
echo
"$programs/accuracy" -m "$here/tiny-F16.gguf" --draft "$here/draft-F16.gguf" | tail -1
