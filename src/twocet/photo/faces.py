"""Finding faces: 478 landmarks and 52 blendshapes per face, off-line.

Squares of every size are searched for faces (:mod:`twocet.photo.search`), each in the turn in which it is upright; then
the attention mesh (arXiv 2006.10962) reads its landmarks, and the blendshape head its expression.
"""

from __future__ import annotations

import os
import threading
from typing import Literal, NamedTuple

import numpy as np

from twocet.errors import UserError
from twocet.photo import align, resample, search
from twocet.photo.detector import Region, square_window
from twocet.photo.graphs import load_graphs
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats32
from twocet.runtime.processes import PerProcess

# fmt: off
BLENDSHAPE_NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
# The landmarks that the blendshape graph reads, in its order (mediapipe, face_blendshapes_graph.cc).
_BLENDSHAPE_LANDMARKS = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81,
    82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154,
    155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263,
    267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321,
    323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387,
    388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
]
# fmt: on

WhichFace = int | Literal["all"] | None
"""The number of a photo's face, 1 = largest; None: the largest, with a note if there are more."""

_MESH_SIDE = 256
_MESH_MARGIN = 1.5
"""Side of the square that the mesh graph sees, in sides of the face."""
_MIN_PRESENCE = 0.5
_NEAR = 0.25
"""In sides of the face: what moves further from frame to frame is looked for anew."""
_OUTER_EYE, _OTHER_OUTER_EYE = 33, 263
_FURTHER_LOOKS = ((0.05, 0.02, 0.94, 0.09), (-0.05, 0.02, 1.1, -0.09), (0.0, -0.05, 1.02, 0.04))
"""Right, down, larger and turned by so much of the face's square: where a face is read again to be sure."""


class Face(NamedTuple):
    """One face in a photo."""

    landmarks: Floats32
    """(478, 3): x and y in photo pixels (pixel centres at +0.5), depth in the same unit."""
    blendshapes: Floats32
    """(52,) in [0, 1], in the order of ``BLENDSHAPE_NAMES``."""
    score: float
    """The detector's confidence, 0..1."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom of the landmarks, photo pixels."""

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    @property
    def region(self) -> Region:
        """The square about it, levelled by its eyes."""
        points = self.landmarks[:, :2].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        across = points[_OTHER_OUTER_EYE] - points[_OUTER_EYE]
        angle = float(np.arctan2(across[1], across[0]))
        return Region((low + high) / 2, float((high - low).max()), angle, self.score)


class FaceFinder:
    """Finds faces in photos. Safe to share between threads (one photo at a time)."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, threads: int = 2) -> None:
        """Loads the graphs from ``path`` or from ``locate_face_model``. Raises UserError when there are none."""
        self._lock = PerProcess(threading.Lock)
        self._graphs = load_graphs(path, threads)

    def find(self, pixels: Pixels) -> list[Face]:
        """Every face found in ``pixels``, of any size and in any turn, largest first; an empty list if there is none.

        What the larger squares show is not looked for in the smaller ones: a portrait costs little more than one look.
        """
        with self._lock.get():
            faces: list[Face] = []
            for level in search.levels(pixels):
                for suspect in search.suspects(self._graphs.detector, level, [face.region for face in faces]):
                    region = search.look_closely(self._graphs.detector, level, suspect)
                    face = None if region is None else self._trace(pixels, region)
                    faces += [face] if face is not None else []
                faces = search.distinct(faces, lambda face: face.region)
            return sorted(faces, key=lambda face: -face.area)

    def follow(self, pixels: Pixels, face: Face) -> Face | None:
        """``face`` of the frame before in the next one of a film; None when it is not near where it was.

        A fourth of the time of :meth:`find`.
        """
        before = face.region
        with self._lock.get():
            found = self._trace(pixels, before)
        # The mesh comes to rest on half a face too: it is believed where the face has hardly moved.
        near = found is not None and np.hypot(*(found.region.centre - before.centre)) < _NEAR * before.side
        return found if near else None

    def steadied(self, pixels: Pixels, face: Face) -> Face:
        """``face`` with the mean landmarks and blendshapes of four readings: half the errors of one, for 25 ms.

        One reading errs by 0.007 of the face's size, at random, as the square in which the mesh is read moves a little.
        """
        region = face.region
        with self._lock.get():
            looks = [
                self._mesh(pixels, Region(region.centre + region.side * np.array([x, y]), region.side * larger,
                                          region.angle + turned, face.score))
                for x, y, larger, turned in _FURTHER_LOOKS
            ]  # fmt: skip
        readings = [face, *(look for look in looks if look is not None)]
        landmarks, blendshapes = (
            np.mean([getattr(reading, name) for reading in readings], axis=0) for name in ("landmarks", "blendshapes")
        )
        return face._replace(landmarks=landmarks, blendshapes=blendshapes)

    def require(self, pixels: Pixels, name: str) -> list[Face]:
        """``find``, or a UserError that tells the user of the photo called ``name`` what to do."""
        faces = self.find(pixels)
        if not faces:
            raise UserError(
                f"No face found in {name}: use a picture in which the face is larger and seen from the front, "
                "or aligned=True if the picture is a square face crop already."
            )
        return faces

    def _trace(self, pixels: Pixels, region: Region) -> Face | None:
        """The mesh, read again in a region that the first reading centred and levelled: a fifth less jitter."""
        face = self._mesh(pixels, region)
        return None if face is None else self._mesh(pixels, face.region) or face

    def _mesh(self, pixels: Pixels, region: Region) -> Face | None:
        side = _MESH_MARGIN * region.side
        window = square_window(region.centre, side, region.angle)
        crop = resample.crop(pixels, align.invert(window), _MESH_SIDE, supersample=1)
        points, presence, _ = self._graphs.mesh(crop.astype(np.float32) / 255)
        if 1 / (1 + np.exp(-float(presence.ravel()[0]))) < _MIN_PRESENCE:
            return None
        mesh = points.reshape(478, 3).astype(np.float64) / _MESH_SIDE
        flat = align.apply(window, mesh[:, :2])
        (blendshapes,) = self._graphs.blendshapes(flat[_BLENDSHAPE_LANDMARKS])
        left, top = flat.min(axis=0)
        right, bottom = flat.max(axis=0)
        landmarks = np.column_stack([flat, mesh[:, 2] * side]).astype(np.float32)
        box = (float(left), float(top), float(right), float(bottom))
        return Face(landmarks, np.clip(blendshapes.ravel(), 0, 1), region.score, box)


def choose_faces(
    faces: list[Face], which: WhichFace, name: str, argument: str | None = "face"
) -> tuple[list[Face], tuple[str, ...]]:
    """As :func:`choose_face`, or all of them."""
    if which == "all":
        return faces, ()
    face, note = choose_face(faces, which, name, argument)
    return [face], (note,) if note else ()


def choose_face(
    faces: list[Face], number: int | None, name: str, argument: str | None = "face"
) -> tuple[Face, str | None]:
    """Face ``number`` (1 = largest, None = the largest), and a note for the user when there was a choice.

    ``name`` is the photo's; ``argument`` chooses its face, if anything does. Raises UserError when there is no such
    face.
    """
    if number is not None and not 1 <= number <= len(faces):
        count, choice = ("1 face", "1") if len(faces) == 1 else (f"{len(faces)} faces", f"1 to {len(faces)}")
        raise UserError(f"{name} has {count}: give {argument}={choice}.")
    if number is None and len(faces) > 1:
        how = f" ({argument}=2 takes the second)" if argument else ""
        return faces[0], f"{name} has {len(faces)} faces: the largest was used{how}."
    return faces[(number or 1) - 1], None
