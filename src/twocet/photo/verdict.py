"""What the layers of marks in a file say, each by itself and all together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twocet.errors import UserError
from twocet.photo import align, certificates, credentials
from twocet.photo.credentials import AI_SOURCE, Manifest
from twocet.photo.faces import FaceFinder
from twocet.photo.images import Pixels, read_photo
from twocet.photo.mark import Mark
from twocet.photo.marks import parse_mark, source_type
from twocet.photo.watermark.code import model_in
from twocet.photo.watermark.find import Found, find_watermark

_OURS = "twocet"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The marks of one file."""

    file: str
    metadata: Mark | None
    """XMP, or the tags of a film, that say that a trained model made or changed it. Anybody can write them."""
    source_type: str | None
    """The digital source type in the metadata, whatever it says."""
    manifest: Manifest | None
    """The newest C2PA manifest."""
    watermarks: tuple[Found, ...]
    """Of twocet, one for each marked face."""
    faces: int
    """How many faces were looked at."""
    problems: tuple[str, ...] = ()
    """Why a layer could not be read."""

    @property
    def tells_of_ai(self) -> bool:
        """Whether any layer says that a trained model made or changed it."""
        by_manifest = self.manifest is not None and self.manifest.valid and self.manifest.tells_of_ai
        return self.metadata is not None or by_manifest or bool(self.watermarks)

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What cannot all be true, a sentence each."""
        said = []
        if self.manifest is not None and not self.manifest.valid:
            said.append(
                f"The C2PA manifest does not hold ({', '.join(self.manifest.failures)}): the file was changed later."
            )
        if self.tells_of_ai and self.source_type and AI_SOURCE not in self.source_type.lower():
            kind = self.source_type.rpartition("/")[2]
            said.append(f"The metadata calls it {kind}, another mark says that a trained model changed it.")
        if self.tells_of_ai and self.manifest is not None and self.manifest.valid and not self.manifest.tells_of_ai:
            said.append("The C2PA manifest does not speak of a trained model, another mark does.")
        named = sorted(self._models)
        if len(named) > 1:
            said.append(f"The marks name different models: {', '.join(named)}.")
        return tuple(said)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing, a sentence each."""
        said = list(self.problems)
        by_us = self.metadata is not None and (self.metadata.software or "").startswith(_OURS)
        by_us = by_us or (self.manifest is not None and self.manifest.generator.startswith(_OURS))
        if by_us and not self.watermarks:
            said.append(
                f"twocet is named, but none of {self.faces} faces carries its watermark: "
                "it was made without one, or changed much since."
            )
        if self.watermarks and self.metadata is None and self.manifest is None:
            said.append("The watermark is there, the metadata is not: it was removed.")
        return tuple(said)

    @property
    def _models(self) -> set[str]:
        """The beginnings of the models' hashes."""
        hashes = [self.metadata.model_sha256 if self.metadata else None]
        hashes += [self.manifest.model_sha256 if self.manifest and self.manifest.valid else None]
        hashes += [model_in(mark.message) for mark in self.watermarks]
        return {sha256[:6] for sha256 in hashes if sha256}

    def to_json(self) -> dict[str, Any]:
        """Everything, JSON-able."""
        manifest = None if self.manifest is None else self.manifest._asdict()
        return {
            "file": self.file,
            "tells_of_ai": self.tells_of_ai,
            "metadata": None if self.metadata is None else asdict(self.metadata),
            "source_type": self.source_type,
            "c2pa": manifest,
            "watermarks": [{"model": model_in(mark.message), "score": mark.score} for mark in self.watermarks],
            "faces": self.faces,
            "contradictions": list(self.contradictions),
            "notes": list(self.notes),
        }


def verify_picture(path: Path, finder: FaceFinder, anchors: bytes | None = None) -> Verdict:
    """The marks of a picture file; ``anchors``: certificates to trust, as PEM. Raises UserError."""
    photo = read_photo(path)
    manifest, problems = manifest_of(path, anchors)
    watermarks, faces = watermarks_in(photo.pixels, finder)
    return Verdict(
        file=str(path),
        metadata=parse_mark(photo.xmp),
        source_type=source_type(photo.xmp),
        manifest=manifest,
        watermarks=watermarks,
        faces=faces,
        problems=problems,
    )


def manifest_of(path: Path, anchors: bytes | None) -> tuple[Manifest | None, tuple[str, ...]]:
    """The newest manifest of a file, and why it could not be read."""
    if not credentials.is_installed():
        seen = credentials.has_manifest(path)
        return None, (f"It holds a C2PA manifest, to be read with one more package: {certificates.INSTALL}",) * seen
    try:
        return credentials.read_manifest(path, anchors), ()
    except UserError as error:
        return None, (str(error),)


def watermarks_in(pixels: Pixels, finder: FaceFinder) -> tuple[tuple[Found, ...], int]:
    """The watermarks in the faces of a picture, and how many faces there are."""
    places = [align.align(face.landmarks) for face in finder.find(pixels)]
    height, width = pixels.shape[:2]
    # A picture that is an aligned crop: its face may be too near to the border to be found well.
    whole = [align.square_to_crop(width, height)] if width == height and len(places) <= 1 else []
    found = [mark for place in places if (mark := find_watermark(pixels, place)) is not None]
    found = found or [mark for place in whole if (mark := find_watermark(pixels, place)) is not None]
    return tuple(found), len(places)
