"""The measuring networks, in several processes, with a cache.

dlib holds Python's lock while it computes, so that threads would wait for each other: each core gets a process.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from twocet.evaluation.cache import Cache, Vector, key_of
from twocet.photo.images import Pixels
from twocet.readers.features import FeatureReader, ImageFeatures
from twocet.runtime.arrays import Floats
from twocet.runtime.processes import die_with_parent

Backbone = Literal["mobilenetv2", "inception"]
Kind = Literal["expression", "identity", "diversity", "mobilenetv2", "inception"]
"""What can be read: see the methods of :class:`Readers`."""

_CHUNK = 16
"""Pictures that a process reads at a time; groups for diversity have fewer."""
_BLENDSHAPES, _LANDMARKS = 51, 478
_READING = 2
"""Counts up when the same weights give other values, so that no cache mixes them."""


class Expressions(NamedTuple):
    """The readings of N pictures; NaN where no face was found."""

    blendshapes: Floats
    """(N, 51) in [0, 1]."""
    landmarks: Floats
    """(N, 478, 2) in pixels."""


class Readers(Protocol):
    """What measures pictures (N, S, S, 3)."""

    @property
    def backbone(self) -> str:
        """The network of ``features``, for the names of results."""
        ...

    def expressions(self, pictures: Pixels) -> Expressions:
        """Blendshapes and landmarks."""
        ...

    def identities(self, pictures: Pixels) -> Floats:
        """Face descriptors (N, 128) of aligned crops."""
        ...

    def features(self, pictures: Pixels) -> ImageFeatures:
        """Image features and class probabilities."""
        ...

    def diversity(self, groups: Pixels) -> Floats:
        """Mean pairwise perceptual distance inside groups of pictures: (N, K, S, S, 3) to (N,)."""
        ...


class PooledReaders:
    """The real networks. Use it in a ``with`` statement."""

    def __init__(self, backbone: Backbone, *, workers: int, cache: Path | None = None) -> None:
        """Loads every network once in this process, so that what is missing is said at once. Raises UserError."""
        self._backbone: Backbone = backbone
        kinds: tuple[Kind, ...] = ("expression", "identity", "diversity", backbone)
        self._names = {kind: _name(kind) for kind in kinds}
        for kind in kinds:
            _reader(kind)
        self._cache, self._workers = Cache(cache), workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> PooledReaders:
        if self._workers > 1:
            # Forking is not safe once torch has threads.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, context, _start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._cache.close()

    @property
    def backbone(self) -> str:
        """The network of ``features``."""
        return self._backbone

    def expressions(self, pictures: Pixels) -> Expressions:
        """Blendshapes and landmarks of the largest face."""
        rows = self._read("expression", pictures).astype(np.float64)
        return Expressions(rows[:, :_BLENDSHAPES], rows[:, _BLENDSHAPES:].reshape(-1, _LANDMARKS, 2))

    def identities(self, pictures: Pixels) -> Floats:
        """dlib's descriptors."""
        return self._read("identity", pictures).astype(np.float64)

    def features(self, pictures: Pixels) -> ImageFeatures:
        """The backbone's."""
        rows = self._read(self._backbone, pictures)
        width = int(rows[0, 0])
        return ImageFeatures(rows[:, 1 : 1 + width], rows[:, 1 + width :])

    def diversity(self, groups: Pixels) -> Floats:
        """In the maps of MobileNetV2."""
        return self._read("diversity", groups)[:, 0].astype(np.float64)

    def _read(self, kind: Kind, items: Pixels) -> Vector:
        """One row for each of ``items``, each a picture or a group of pictures."""
        keys = [key_of(self._names[kind], item) for item in items]
        known = self._cache.get(keys)
        new = list({key: k for k, key in enumerate(keys) if key not in known}.values())
        size = _CHUNK // items.shape[1] if kind == "diversity" else _CHUNK
        parts = [new[k : k + size] for k in range(0, len(new), size)]
        made = self._map(kind, [items[part] for part in parts])
        for part, rows in zip(parts, made, strict=True):
            fresh = {keys[k]: row for k, row in zip(part, rows, strict=True)}
            self._cache.put(fresh)
            known |= fresh
        return np.stack([known[key] for key in keys])

    def _map(self, kind: Kind, parts: list[Pixels]) -> Iterator[Vector]:
        kinds: list[Kind] = [kind] * len(parts)
        return self._pool.map(_work, kinds, parts) if self._pool else map(_work, kinds, parts)


_loaded: dict[Kind, Callable[[Pixels], Vector]] = {}


def _start() -> None:
    """The beginning of a worker process."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()


def _work(kind: Kind, items: Pixels) -> Vector:
    return _reader(kind)(items)


def _reader(kind: Kind) -> Callable[[Pixels], Vector]:
    """The loaded network of this process."""
    if kind not in _loaded:
        _loaded[kind] = _MAKERS[kind]()
    return _loaded[kind]


def _expression_reader() -> Callable[[Pixels], Vector]:
    from twocet.readers.expression import ExpressionReader

    reader = ExpressionReader()

    def row(pixels: Pixels) -> Vector:
        found = reader.read(pixels)
        return np.concatenate([found.blendshapes, found.landmarks.ravel()]).astype(np.float32)

    return lambda pictures: np.stack([row(pixels) for pixels in pictures])


def _identity_reader() -> Callable[[Pixels], Vector]:
    from twocet.readers.identity import IdentityReader

    reader = IdentityReader()
    return lambda pictures: np.stack([reader.describe(pixels) for pixels in pictures]).astype(np.float32)


def _diversity_reader() -> Callable[[Pixels], Vector]:
    from twocet.readers.features import MobileNetReader

    reader = MobileNetReader()
    return lambda groups: np.array([[reader.diversity(group)] for group in groups], np.float32)


def _feature_reader(load: Callable[[], FeatureReader]) -> Callable[[Pixels], Vector]:
    reader = load()

    def rows(pictures: Pixels) -> Vector:
        found = reader.read(pictures)
        width: NDArray[np.float32] = np.full((len(pictures), 1), found.pooled.shape[1], np.float32)
        return np.concatenate([width, found.pooled, found.probabilities], axis=1)

    return rows


def _mobilenet_reader() -> Callable[[Pixels], Vector]:
    from twocet.readers.features import MobileNetReader

    return _feature_reader(MobileNetReader)


def _inception_reader() -> Callable[[Pixels], Vector]:
    from twocet.readers.features import InceptionReader

    return _feature_reader(InceptionReader)


_MAKERS: dict[Kind, Callable[[], Callable[[Pixels], Vector]]] = {
    "expression": _expression_reader,
    "identity": _identity_reader,
    "diversity": _diversity_reader,
    "mobilenetv2": _mobilenet_reader,
    "inception": _inception_reader,
}


def _name(kind: Kind) -> str:
    """What the cache calls a reader: other weights are another reader."""
    from twocet.model.model import file_hash
    from twocet.photo import face_model
    from twocet.readers import identity
    from twocet.readers.features import mobilenet

    files: dict[Kind, Callable[[], Path]] = {
        "expression": face_model.locate_face_model,
        "identity": identity.locate_weights,
        "diversity": mobilenet.locate_weights,
        "mobilenetv2": mobilenet.locate_weights,
    }
    return f"{kind} {_READING} {file_hash(files[kind]())}" if kind in files else kind
