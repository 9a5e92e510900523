"""Reads picture files of all sorts, most of them broken on purpose. Prints one line of JSON.

Every file is made here, is read, and what is read is written in four formats and read again. Counted are exceptions
that are no UserError, sound photos that were refused (lost), files that took over 10 seconds of one core, and
processes that took over 1.5 GB.

    python benchmarks/broken_photos.py
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

import tyro
from broken_files import Case, cases
from line import peak_memory_mb, print_line

from twocet.errors import UserError
from twocet.photo.images import read_photo, write_photo

_MOST_SECONDS, _MOST_MEGABYTES = 10.0, 1500
_OUTPUTS = (".png", ".jpg", ".webp", ".tif")


def main(seed: int = 0) -> None:
    """Print the counts.

    Args:
        seed: Of what is damaged at random.
    """
    chance = random.Random(seed)
    found: dict[str, list[str]] = {"exceptions": [], "lost": [], "slow": [], "large": []}
    files = read = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(chance):
            files += 1
            read += _try(case, Path(folder), found)
            if peak_memory_mb() > _MOST_MEGABYTES and not found["large"]:
                found["large"].append(f"{case.name}: {peak_memory_mb():.0f} MB")
    for kind, names in found.items():
        for name in names:
            print(f"{kind}: {name}", file=sys.stderr)
    counts = {kind: len(names) for kind, names in found.items()}
    print_line({"benchmark": "broken_photos", "files": files, "read": read, "refused": files - read, **counts})


def _try(case: Case, folder: Path, found: dict[str, list[str]]) -> bool:
    """Reads one file and writes what was read; whether it was read."""
    path = folder / "photo.bin"
    path.write_bytes(case.content)
    began = time.process_time()
    accepted = False
    try:
        photo = read_photo(path)
        accepted = True
        for suffix in _OUTPUTS:
            again = read_photo(write_photo(folder / f"out{suffix}", photo))
            if again.size != photo.size:
                found["lost"].append(f"{case.name} as {suffix}: another size")
    except UserError as error:
        if case.sound or accepted:
            found["lost"].append(f"{case.name}: {error}")
    except Exception:
        found["exceptions"].append(f"{case.name}: {traceback.format_exc(limit=-2)}")
    seconds = time.process_time() - began
    if seconds > _MOST_SECONDS:
        found["slow"].append(f"{case.name}: {seconds:.1f} s")
    return accepted


if __name__ == "__main__":
    tyro.cli(main)
