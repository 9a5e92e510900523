#!/usr/bin/env bash
# The lower bounds of pyproject.toml, tried: an environment of the lowest versions that they allow, and tests that touch
# each package. Needs uv. Usage: scripts/lowest.sh [PYTHON_VERSION [TEST...]], about ten minutes and 3 GB.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-3.10}
shift || true
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
uv venv --quiet --python "$python" "$place/venv"
# Of the packages named here the lowest versions, of what these need the usual ones.
uv pip install --quiet --python "$place/venv" --resolution lowest-direct \
    --editable '.[distributed,figures,onnx,study,train,video,web]' 'pytest>=9.0' 'hypothesis>=6.150' 'scipy>=1.13'
uv pip list --python "$place/venv" --format freeze
tests=("$@")
if [ ${#tests[@]} = 0 ]; then
    tests=(tests/test_package.py tests/test_files.py tests/test_processes.py tests/test_exported.py tests/broken tests/photos/test_faces.py
           tests/photos/test_images.py tests/commands/test_films.py tests/commands/test_batch.py tests/train/test_faults.py tests/train/test_train.py
           tests/web/test_http.py tests/web/test_limits.py tests/study)
fi
"$place/venv/bin/python" -m pytest -q -p no:cacheprovider "${tests[@]}"
