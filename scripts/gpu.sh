#!/usr/bin/env bash
# Runs for a graphics card that end within ten minutes, from rendering the photos to the files:
#
#   scripts/gpu.sh default OUT     the packaged model's way at 256 px: it moves and paints at 128
#   scripts/gpu.sh authors OUT     the authors' recipe, half width, on the laboratory set
#   scripts/gpu.sh timing OUT      photos a second and memory of every recipe, one JSON line each
#
# More words go to scripts/gpu_runs.py (--device cpu --minutes 2 --people 40 --batch 16 to try it without a card).
# Neither tyro nor ai-edge-litert is needed. Files over 15 MiB come in parts: cat NAME.part-* > NAME
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
run=$1 out=$2
shift 2
mkdir -p "$out"
export PYTHONPATH="$root/src:$root/benchmarks" PYTHONUNBUFFERED=1
if [ "$run" = timing ]; then
  "${PYTHON:-python3}" "$root/benchmarks/card.py" --device cuda "$@" | tee "$out/timing.jsonl"
else
  "${PYTHON:-python3}" "$root/scripts/gpu_runs.py" "$run" "$out" "$@" 2>&1 | tee "$out/$run.log"
fi
find "$out" -maxdepth 1 -type f -size +15M | while read -r file; do
  split -b 15M "$file" "$file.part-"
  rm "$file"
done
