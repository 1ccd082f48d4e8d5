#!/bin/bash
# Installs what is missing, builds, and generates text.
#
#   bash cmake/demo.sh [-m FILE] [option of generate...]
#
# Without -m FILE the model has random weights: it shows that everything works, its text means nothing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

bash "$root/cmake/install_dependencies.sh"
(
  cd "$root"
  cmake --preset release
  cmake --build --preset release --target examples/generate bench/synthesize -- --quiet
)

options=("$@")
model_given=false
for option in "$@"; do
  case $option in -m | --model | --help | -h) model_given=true ;; esac
done
if ! $model_given; then
  model=$root/build/random-tiny.gguf
  [[ -s $model ]] || "$root/build/bench/synthesize" tiny Q4_0 "$model"
  echo "No -m FILE: this model's weights are RANDOM, and so is the text. Expect nonsense." >&2
  options=(-m "$model" -p "Once upon a time" -n 64 "${options[@]}")
fi
exec "$root/build/examples/generate" "${options[@]}"
