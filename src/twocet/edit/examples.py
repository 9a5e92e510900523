"""The photos that come with the package: synthetic people, CC0."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "commands" / "examples"


def example_photos(folder: Path = FOLDER) -> dict[str, Path]:
    """The packaged photos of synthetic people (CC0), name to path: ``target-1``, ``reference-1-happy`` and so on."""
    files = {path.stem: path for path in folder.glob("*.jpg")}
    return dict(sorted(files.items(), key=lambda item: (not item[0].startswith("target"), _number(item[0]))))


def _number(name: str) -> int:
    found = re.search(r"\d+", name)
    return int(found.group()) if found else 0
