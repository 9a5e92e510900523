#!/usr/bin/env bash
# Builds sdist and wheel and tries the wheel in a clean environment: no extras, no source tree, the packaged model.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/.venv/bin/python
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

"$python" -m build --quiet --outdir "$place/dist" . >"$place/build.log" 2>&1 || { cat "$place/build.log"; exit 1; }
"$python" -m venv "$place/clean"
cp constraints.txt "$place"
cd "$place"
clean/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/*.whl 2>&1 | grep -v '^WARNING: Location' || true

clean/bin/twocet demo -o demo >/dev/null
clean/bin/python - <<'TRY'
import twocet

photos = twocet.example_photos()
result = twocet.load().transfer(photos["target-1"], photos["reference-1-happy"], strength=0.8)
assert result.save("out.png").stat().st_size > 10_000
TRY
printf '%s: %s MB, sdist %s MB, installed and used in a clean environment\n' "$(basename dist/*.whl)" \
  "$(du -m dist/*.whl | cut -f1)" "$(du -m dist/*.tar.gz | cut -f1)"
