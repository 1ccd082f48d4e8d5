#!/bin/bash
# Installs what is missing, builds, and lets the model that ships with lamina answer.
#
#   bash cmake/demo.sh                       a chat; without a terminal: three questions and their answers
#   bash cmake/demo.sh "QUESTION"            its answer
#   bash cmake/demo.sh -m FILE [option...]   continues a text (-p TEXT) with a model of yours: the options of generate
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
programs=$root/build/examples
model=$root/examples/tiny_model/tiny-F16.gguf

bash "$root/cmake/install_dependencies.sh" >&2
(
  cd "$root"
  cmake --preset release
  cmake --build --preset release --target examples/generate examples/chat -- --quiet
) >&2

# Stories differ, facts do not: their right token has nearly all of the probability, which top-p leaves alone.
sampling=(--temp 0.7 --top-p 0.9)

answer() {  # the same each time
  printf '%s' "$1" | "$programs/chat" -m "$model" "${sampling[@]}" --seed 1
}

if [[ ${1:-} =~ ^--?[a-z] ]]; then  # an option; "-5 + 3" is a question
  exec "$programs/generate" -p "Once upon a time" "$@"
elif (($# > 0)); then
  [[ -n $* ]] || { echo "$0: the question is empty" >&2; exit 2; }
  answer "$*"
elif [[ -t 0 && -t 1 ]]; then
  echo "It knows countries, numbers up to 99, days and months, and short stories." >&2
  exec "$programs/chat" -m "$model" "${sampling[@]}" --seed "$RANDOM"
else
  for question in "What is the capital of Peru?" "What is 27 + 45?" "Tell me a story about a fox."; do
    echo "> $question"
    answer "$question"
  done
fi
