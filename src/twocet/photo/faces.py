"""Finding faces: 478 landmarks and 52 blendshapes per face, off-line.

The weights are Google's ``face_landmarker.task`` (Apache-2.0), a zip of three TFLite graphs that LiteRT runs without
MediaPipe: BlazeFace short-range (arXiv 1907.05047), the attention mesh (arXiv 2006.10962) and the blendshape head.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twocet.errors import UserError
from twocet.photo import align, resample
from twocet.photo.face_model import FACE_MODEL_URL, locate_face_model
from twocet.photo.images import Pixels
from twocet.runtime.arrays import Floats32

_GRAPHS = ("face_detector", "face_landmarks_detector", "face_blendshapes")

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

_DETECTOR_SIDE = 128
_MESH_SIDE = 256
_MESH_MARGIN = 1.5
"""Side of the square that the mesh graph sees, in sides of the detector's box."""
_MIN_SCORE = 0.5
_MIN_PRESENCE = 0.5
_SAME_FACE_OVERLAP = 0.3
_TILE_SHARES = (0.5, 0.25)
_MIN_TILE = 192
"""Smaller windows, in photo pixels, would only show faces too small to edit."""


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


class _Region(NamedTuple):
    """A square that holds a face: where the mesh graph looks."""

    centre: npt.NDArray[np.float64]
    side: float
    angle: float
    score: float


class FaceFinder:
    """Finds faces in photos. Safe to share between threads (one photo at a time)."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, threads: int = 2) -> None:
        """Loads the graphs from ``path`` or from ``locate_face_model``. Raises UserError when there are none."""
        file = locate_face_model(path)
        self._lock = threading.Lock()
        try:
            with zipfile.ZipFile(file) as archive:
                graphs = {name: archive.read(f"{name}.tflite") for name in _GRAPHS}
        except (OSError, KeyError, zipfile.BadZipFile):
            raise UserError(f"{file} is no face_landmarker.task: download it again from {FACE_MODEL_URL}") from None
        self._graphs = {name: _interpreter(content, threads) for name, content in graphs.items()}

    def find(self, pixels: Pixels) -> list[Face]:
        """Every face found in ``pixels``, largest first; an empty list when there is none.

        Looks at the whole photo first; then, if nothing is there, at overlapping tiles (small faces), and at the
        photo turned by quarters (sideways and upside-down faces).
        """
        with self._lock:
            height, width = pixels.shape[:2]
            whole = _square_window((width / 2, height / 2), max(width, height))
            turned = [whole @ turn for turn in _TURNS]
            searches = [[whole], *_tilings(width, height), turned]
            for windows in searches:
                regions = _merge([region for window in windows for region in self._detect(pixels, window)])
                faces = [face for region in regions if (face := self._trace(pixels, region)) is not None]
                if faces:
                    return sorted(_distinct(faces), key=lambda face: -face.area)
            return []

    def require(self, pixels: Pixels, name: str) -> list[Face]:
        """``find``, or a UserError that tells the user of the photo called ``name`` what to do."""
        faces = self.find(pixels)
        if not faces:
            raise UserError(
                f"No face found in {name}: use a picture in which the face is larger and seen from the front, "
                "or --aligned if the picture is a square face crop already."
            )
        return faces

    def _run(self, graph: str, values: npt.NDArray[np.floating[Any]]) -> list[Floats32]:
        interpreter = self._graphs[graph]
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values.astype(np.float32)[None])
        interpreter.invoke()
        return [interpreter.get_tensor(output["index"]).copy() for output in interpreter.get_output_details()]

    def _detect(self, pixels: Pixels, window: npt.NDArray[np.float64]) -> list[_Region]:
        """Faces within the square ``window``, a homogeneous (3, 3) map from its unit square to the photo."""
        crop = resample.crop(pixels, align.invert(window[:2]), _DETECTOR_SIDE, outside="constant", supersample=1)
        boxes, logits = self._run("face_detector", crop.astype(np.float32) / 127.5 - 1)
        scores = 1 / (1 + np.exp(-np.clip(logits[0, :, 0].astype(np.float64), -80, 80)))
        found = np.flatnonzero(scores > _MIN_SCORE)
        # Rows: centre, size, then six key points, the first two being the eyes.
        rows = boxes[0, found].reshape(-1, 8, 2).astype(np.float64) / _DETECTOR_SIDE
        rows[:, 0] += _ANCHORS[found]
        rows[:, 2:] += _ANCHORS[found][:, None]
        return [_region(row, score, window) for row, score in _suppress(rows, scores[found])]

    def _trace(self, pixels: Pixels, region: _Region) -> Face | None:
        """The mesh, read again in a region that the first reading centred and levelled: a fifth less jitter."""
        face = self._mesh(pixels, region)
        return None if face is None else self._mesh(pixels, _region_of(face)) or face

    def _mesh(self, pixels: Pixels, region: _Region) -> Face | None:
        window = _square_window(region.centre, region.side, region.angle)
        crop = resample.crop(pixels, align.invert(window[:2]), _MESH_SIDE, supersample=1)
        points, presence, _ = self._run("face_landmarks_detector", crop.astype(np.float32) / 255)
        if 1 / (1 + np.exp(-float(presence.ravel()[0]))) < _MIN_PRESENCE:
            return None
        mesh = points.reshape(478, 3).astype(np.float64) / _MESH_SIDE
        flat = align.apply(window[:2], mesh[:, :2])
        (blendshapes,) = self._run("face_blendshapes", flat[_BLENDSHAPE_LANDMARKS])
        left, top = flat.min(axis=0)
        right, bottom = flat.max(axis=0)
        landmarks = np.column_stack([flat, mesh[:, 2] * region.side]).astype(np.float32)
        box = (float(left), float(top), float(right), float(bottom))
        return Face(landmarks, np.clip(blendshapes.ravel(), 0, 1), region.score, box)


def choose_face(faces: list[Face], number: int | None, name: str) -> tuple[Face, str | None]:
    """Face ``number`` (1 = largest, None = the largest), and a note for the user when there was a choice.

    Raises UserError when there is no such face.
    """
    if number is not None and not 1 <= number <= len(faces):
        raise UserError(f"{name} has {len(faces)} face(s): choose one from 1 to {len(faces)} with --face.")
    if number is None and len(faces) > 1:
        return faces[0], f"{name} has {len(faces)} faces: the largest was used (--face 1..{len(faces)} chooses)."
    return faces[(number or 1) - 1], None


def _interpreter(content: bytes, threads: int) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        raise UserError("Finding faces needs LiteRT: pip install ai-edge-litert") from None
    with _silenced_stderr():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """LiteRT prints what it does from C++, which only the file descriptor can stop."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _anchors() -> npt.NDArray[np.float64]:
    """(896, 2) centres (x, y) of the detector's boxes: two on each cell of stride 8, six on each of stride 16."""
    layers = []
    for stride, count in ((8, 2), (16, 6)):
        ticks = (np.arange(_DETECTOR_SIDE // stride) + 0.5) * stride / _DETECTOR_SIDE
        x, y = np.meshgrid(ticks, ticks)
        layers.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), count, axis=0))
    return np.concatenate(layers)


_ANCHORS = _anchors()


def _turn(cosine: float, sine: float) -> npt.NDArray[np.float64]:
    """Homogeneous turn of the unit square about its centre."""
    linear = np.array([(cosine, -sine), (sine, cosine)])
    shift = 0.5 - linear @ (0.5, 0.5)
    return np.vstack([np.column_stack([linear, shift]), (0.0, 0.0, 1.0)])


_TURNS = (_turn(0, 1), _turn(-1, 0), _turn(0, -1))


def _square_window(centre: npt.ArrayLike, side: float, angle: float = 0.0) -> npt.NDArray[np.float64]:
    """Homogeneous map from the unit square to a square in the photo."""
    middle = np.asarray(centre, np.float64)
    scaled = np.array([(side, 0.0, middle[0] - side / 2), (0.0, side, middle[1] - side / 2), (0.0, 0.0, 1.0)])
    return scaled @ _turn(np.cos(angle), np.sin(angle))


def _tilings(width: int, height: int) -> list[list[npt.NDArray[np.float64]]]:
    """Square tiles that overlap by half, of decreasing size."""
    tilings = []
    for share in _TILE_SHARES:
        side = share * max(width, height)
        if side < _MIN_TILE:
            break
        xs, ys = _tile_centres(width, side), _tile_centres(height, side)
        tilings.append([_square_window((x, y), side) for y in ys for x in xs])
    return tilings


def _tile_centres(length: int, side: float) -> npt.NDArray[np.float64]:
    if side >= length:
        return np.array([length / 2])
    count = int(np.ceil((length - side) / (side / 2))) + 1
    return np.linspace(side / 2, length - side / 2, count)


def _suppress(
    rows: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]
) -> list[tuple[npt.NDArray[np.float64], float]]:
    """Weighted non-maximum suppression (BlazeFace, section 3.3): boxes that overlap become their average."""
    low, high = rows[:, 0] - rows[:, 1] / 2, rows[:, 0] + rows[:, 1] / 2
    left = list(np.argsort(-scores))
    merged = []
    while left:
        best = left[0]
        group = [k for k in left if k == best or _overlap(low[best], high[best], low[k], high[k]) > _SAME_FACE_OVERLAP]
        left = [k for k in left if k not in group]
        merged.append((np.average(rows[group], axis=0, weights=scores[group]), float(scores[best])))
    return merged


def _overlap(low: npt.ArrayLike, high: npt.ArrayLike, other_low: npt.ArrayLike, other_high: npt.ArrayLike) -> float:
    """Intersection over union of two boxes."""
    a, b, c, d = (np.asarray(corner, np.float64) for corner in (low, high, other_low, other_high))
    shared = np.prod(np.clip(np.minimum(b, d) - np.maximum(a, c), 0, None))
    union = np.prod(b - a) + np.prod(d - c) - shared
    return float(shared / union) if union > 0 else 0.0


def _region(row: npt.NDArray[np.float64], score: float, window: npt.NDArray[np.float64]) -> _Region:
    """A detector's row, in fractions of its window, as the square for the mesh graph in photo pixels."""
    centre, eye, other_eye = align.apply(window[:2], row[[0, 2, 3]])
    scale = float(np.hypot(*window[:2, 0]))
    angle = float(np.arctan2(other_eye[1] - eye[1], other_eye[0] - eye[0]))
    return _Region(centre, _MESH_MARGIN * scale * float(row[1].max()), angle, score)


def _region_of(face: Face) -> _Region:
    """The region that MediaPipe would look at in the next frame of a video."""
    points = face.landmarks[:, :2].astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    across = points[263] - points[33]
    side = _MESH_MARGIN * float((high - low).max())
    return _Region((low + high) / 2, side, float(np.arctan2(across[1], across[0])), face.score)


def _merge(regions: list[_Region]) -> list[_Region]:
    """Of the regions that several windows found on one face, the one most certain."""
    kept: list[_Region] = []
    for region in sorted(regions, key=lambda region: -region.score):
        half = region.side / 2
        boxes = [(other.centre - other.side / 2, other.centre + other.side / 2) for other in kept]
        if all(_overlap(region.centre - half, region.centre + half, *box) <= _SAME_FACE_OVERLAP for box in boxes):
            kept.append(region)
    return kept


def _distinct(faces: list[Face]) -> list[Face]:
    """Without the meshes that ended on the same face."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_overlap(face.box[:2], face.box[2:], other.box[:2], other.box[2:]) <= 0.5 for other in kept):
            kept.append(face)
    return kept
