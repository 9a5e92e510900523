"""What was read from pictures, kept under the pictures' contents: a killed evaluation goes on where it was."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twocet.errors import UserError

Vector = NDArray[np.float32]
_ASKED_AT_ONCE = 500
"""SQLite takes no more than 999 values in one question in old versions."""


class Cache:
    """Vectors by key, in one SQLite file, which survives a kill at any moment and may be deleted at any time."""

    def __init__(self, path: Path | None = None) -> None:
        """Opens or makes ``path``; None keeps everything in memory. Raises UserError."""
        try:
            self._store = sqlite3.connect(str(path) if path else ":memory:")
            self._store.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        except sqlite3.Error as error:
            raise UserError(f"{path} cannot be used ({error}): delete it") from None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Those that are known."""
        found: dict[bytes, Vector] = {}
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            asked = keys[start : start + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(asked))
            rows = self._store.execute(f"SELECT key, value FROM vectors WHERE key IN ({marks})", asked)
            found |= {key: np.frombuffer(value, np.float32) for key, value in rows}
        return found

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors, all or none of them."""
        rows: Iterable[tuple[bytes, bytes]] = ((key, vector.tobytes()) for key, vector in vectors.items())
        with self._store:
            self._store.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def key_of(reader: str, pixels: NDArray[np.uint8]) -> bytes:
    """The key of what ``reader`` (its name, with the version of its weights) reads in ``pixels``."""
    digest = hashlib.sha256(f"{reader} {pixels.shape} ".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()
