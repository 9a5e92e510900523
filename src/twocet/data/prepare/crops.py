"""One photo of a set to its crops and a record of what was found; runs in the workers."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from twocet.data.prepare.neutral import placed
from twocet.data.prepare.originals import SETS, Original, SetName, decode
from twocet.errors import UserError
from twocet.photo import align, resample
from twocet.photo.faces import FaceFinder
from twocet.photo.images import Pixels
from twocet.photo.png import png_bytes
from twocet.readers.identity import IdentityReader
from twocet.runtime.arrays import Floats
from twocet.runtime.files import json_bytes, write_whole
from twocet.runtime.records import read_object

Alignment = Literal["template", "paper"]

DESCRIPTOR = "descriptor"
"""The key of a face's descriptor in its record."""
READING = "reading"
"""The key of its blendshapes and landmarks, see ``prepare.neutral``."""


class CropJob(NamedTuple):
    """Everything a worker needs."""

    folder: Path
    kind: SetName
    alignment: Alignment
    size: int
    master: int
    """Side of the larger crops; 0 for none."""
    original: Original
    describe: bool = False
    """Whether the face's descriptor is wanted, by which people are told apart."""
    read: bool = False
    """Whether its expression is wanted, by which neutral faces are found."""


def sides(size: int, master: int) -> dict[str, int]:
    """Folder and side of each set of crops."""
    return {"faces": size, **({"masters": master} if master else {})}


def record_path(folder: Path, name: str) -> Path:
    """Where the record of the photo called ``name`` is."""
    return folder / "records" / f"{name}.json"


def read_record(job: CropJob) -> dict[str, Any] | None:
    """The record of a photo that is done; None if it, one of its crops or the photo it was made of is another one."""
    try:
        record = read_object(record_path(job.folder, job.original.name), "it is made again")
    except UserError:
        return None
    same = record.get("photo") == job.original.photo.label
    same = same and (not job.describe or record.get("problem") or DESCRIPTOR in record)
    same = same and (not job.read or record.get("problem") or READING in record)
    crops = [job.folder / place / f"{job.original.name}.png" for place in sides(job.size, job.master)]
    whole = same and (record.get("problem") or all(path.is_file() for path in crops))
    return record if whole else None


def make_crops(job: CropJob) -> None:
    """Write the crops of one photo, then its record."""
    record: dict[str, Any] = {"photo": job.original.photo.label, "problem": None}
    try:
        content = job.original.photo.content()
        record["file_sha256"] = hashlib.sha256(content).hexdigest()
        pixels = decode(content, job.original.photo.label)
        record["pixels_sha256"] = hashlib.sha256(pixels.tobytes()).hexdigest()
        photo_to_crop, record["faces"], landmarks = locate(job.kind, job.alignment, pixels)
        reading = _reading(pixels) if job.read and photo_to_crop is not None else None
        if photo_to_crop is None or (job.read and reading is None):
            record["problem"] = "no face found"
        else:
            if job.describe and landmarks is not None:
                points = landmarks[list(align.TEMPLATE_LANDMARKS), :2]
                record[DESCRIPTOR] = _reader().describe(pixels, points).round(4).tolist()
            if reading is not None:
                record[READING] = reading
            crops = {
                place: resample.crop(pixels, photo_to_crop, side) for place, side in sides(job.size, job.master).items()
            }
            record["thumbnail"] = thumbnail(crops["faces"]).tobytes().hex()
            for place, crop in crops.items():
                write_whole(job.folder / place / f"{job.original.name}.png", png_bytes(crop))
    except UserError as error:
        record["problem"] = str(error)
    write_whole(record_path(job.folder, job.original.name), json_bytes(record))


def thumbnail(crop: Pixels) -> npt.NDArray[np.uint8]:
    """A crop's brightness, (256,) uint8: 16 x 16 places, by which copies are found."""
    grey = Image.fromarray(crop).convert("L").resize((16, 16), Image.Resampling.BOX)
    return np.asarray(grey, np.uint8).ravel()


def _reading(pixels: Pixels) -> dict[str, Any] | None:
    """What neutral faces are found by: the blendshapes and the placed landmarks of the largest face."""
    faces = _finder().find(pixels)
    if not faces:
        return None
    shape = placed(faces[0].landmarks.astype(np.float64)).round(4)
    return {"blendshapes": faces[0].blendshapes.round(4).tolist(), "shape": shape.tolist()}


class Located(NamedTuple):
    """Where the face to be cropped is."""

    photo_to_crop: Floats | None
    """None: no face was found."""
    faces: int | None
    """Faces seen; None where none is looked for."""
    landmarks: npt.NDArray[np.floating[Any]] | None = None
    """(478, 3), photo pixels; None where none is looked for."""


def locate(kind: SetName, alignment: Alignment, pixels: Pixels) -> Located:
    """The crop of the largest face, or the set's fixed frame."""
    height, width = pixels.shape[:2]
    frame = SETS[kind].frame
    if alignment == "paper" and frame is not None:
        return Located(frame(width, height), None)
    faces = _finder().find(pixels)
    if not faces:
        return Located(None, 0)
    template = align.PAPER_TEMPLATE_NAME if alignment == "paper" else align.TEMPLATE_NAME
    landmarks = faces[0].landmarks
    return Located(align.align_to(template, landmarks, (width, height)), len(faces), landmarks)


@lru_cache(maxsize=1)
def _finder() -> FaceFinder:
    return FaceFinder(threads=1)


@lru_cache(maxsize=1)
def _reader() -> IdentityReader:
    return IdentityReader()
