"""Reading the marks of pictures and films."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from twocet.errors import UserError
from twocet.photo.faces import FaceFinder
from twocet.photo.verdict import Verdict, manifest_of, verify_picture, watermarks_in
from twocet.video.clips import SUFFIXES, ClipReader, mark_in_tags

_FRAMES, _STEP = 8, 12
"""How many frames of a film are looked at, and how far apart they are."""


def verify(
    path: str | os.PathLike[str], *, trust: str | os.PathLike[str] | None = None, finder: FaceFinder | None = None
) -> Verdict:
    """Read the marks that say whether a trained model made or changed a picture or film. Works off-line.

    Args:
        path: The file.
        trust: File of certificates (PEM) to trust; without it no signature counts as trusted.
        finder: Finds faces; None loads the packaged one.

    Returns:
        What metadata (XMP), C2PA manifest and watermarks say; ``tells_of_ai`` and ``contradictions`` sum it up.

    Raises:
        UserError: If the file cannot be read.
    """
    path, anchors = Path(path), None if trust is None else _certificates(Path(trust))
    finder = finder or FaceFinder()
    if path.suffix.lower() in SUFFIXES:
        return _verify_film(path, finder, anchors)
    return verify_picture(path, finder, anchors)


def _verify_film(path: Path, finder: FaceFinder, anchors: bytes | None) -> Verdict:
    with ClipReader(path) as reader:
        tags = mark_in_tags(dict(reader.container.metadata))
        looks = [watermarks_in(frame.pixels, finder) for frame in islice(reader, 0, _FRAMES * _STEP, _STEP)]
    manifest, problems = manifest_of(path, anchors)
    return Verdict(
        file=str(path),
        metadata=tags,
        source_type=None if tags is None else tags.digital_source_type,
        manifest=manifest,
        watermarks=max((marks for marks, _ in looks), key=len, default=()),
        faces=max((faces for _, faces in looks), default=0),
        problems=problems,
    )


def _certificates(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give a file of certificates (PEM).") from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise UserError(f"{path} holds no certificates: give a PEM file.")
    return content
