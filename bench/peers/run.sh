#!/bin/bash
# lamina and llama.cpp on the same files, in turns: A B A B ... Both read 512 random tokens, and write 64 into an empty cache;
# of each turn lamina's median of three runs counts, and of llama.cpp the best of two. llama.cpp chooses each token greedily, by
# JavaScript: up to 0.7 ms a token (stories260K runs at 1,400 tokens/s that way), 1 to 2 % of the times here. Prints medians, spreads and ratios, and lines for scripts:
#   ratio SHAPE FORMAT prefill512|decode LAMINA/PEER
#   limit SHAPE FORMAT prefill512|decode SHARE        of the arithmetic peak, of the read bandwidth, measured in the same run
#
#   bash bench/peers/run.sh [--turns N] [--shapes "1b 8b"] [--formats "Q4_0 Q4_K Q8_0"] [--threads K] [--plot FILE.svg]
#
# llama.cpp is the npm package node-llama-cpp, pinned below, which is installed into the build folder; needs x86-64, Linux
# and Node.js 20 or newer. --plot needs python3-matplotlib. Models are random, written once by bench/synthesize.
set -euo pipefail
readonly package=node-llama-cpp@3.22.1
turns=3 shapes=1b formats="Q4_0 Q4_K Q8_0" threads=$(nproc) plot=
while (($# > 0)); do
  case $1 in
    --turns) turns=$2 ;;
    --shapes) shapes=$2 ;;
    --formats) formats=$2 ;;
    --threads) threads=$2 ;;
    --plot) plot=$(realpath "$2") ;;
    *)
      sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
  shift 2
done

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
if ((${major:-0} < 20)) || ! command -v npm >/dev/null; then
  echo "needs npm and Node.js 20 or newer, which node-llama-cpp asks for; here is ${major:-none}" >&2
  exit 1
fi

if [[ -n $plot ]] && ! python3 -c "import matplotlib"; then
  echo "--plot needs matplotlib: apt install python3-matplotlib" >&2
  exit 1
fi

folder=build/peers
mkdir -p "$folder"
cp bench/peers/llama_cpp.mjs "$folder"
if ! grep -qs "\"version\": \"${package##*@}\"" "$folder/node_modules/@node-llama-cpp/linux-x64/package.json"; then
  npm install --prefix "$folder" --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error \
    "$package" "@node-llama-cpp/linux-x64@${package##*@}" >&2
fi
cmake --preset release >/dev/null
cmake --build --preset release --target lamina_bench_model lamina_bench_synthesize -- --quiet >&2

results=$folder/results.txt
: >"$results"
for shape in $shapes; do
  for format in $formats; do
    file=$folder/$shape-$format.gguf
    [[ -f $file ]] || { build/bench/synthesize "$shape" "$format" "$file.part" && mv "$file.part" "$file"; }
    for ((turn = 1; turn <= turns; ++turn)); do
      printf '%s %s, turn %d of %d\n' "$shape" "$format" "$turn" "$turns" >&2
      build/bench/model -m "$file" --threads "$threads" --repeat 3 2>"$folder/errors" >"$folder/out" ||
        { cat "$folder/errors" >&2; exit 1; }
      sed -n "s/^speed [^ ]* [^ ]* /lamina $shape $format /p; s/^\(limit\|cost\) [^ ]* [^ ]* /\1 $shape $format /p
              /^machine /p" "$folder/out" >>"$results"
      node "$folder/llama_cpp.mjs" "$file" "$threads" 512 64 |
        sed -n "s/^prefill /llama.cpp $shape $format prefill512 /p; s/^decode /llama.cpp $shape $format decode /p" >>"$results"
    done
  done
done
python3 bench/peers/report.py "$results" ${plot:+--plot "$plot"}
