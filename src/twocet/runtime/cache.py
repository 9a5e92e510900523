"""What was found in the latest pictures, so that it need not be found again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

from twocet.photo.images import PhotoLike, read_photo

_Value = TypeVar("_Value")


def photo_key(photo: PhotoLike) -> Hashable:
    """What tells one picture from another; a file is not read for it."""
    if isinstance(photo, (str, os.PathLike)):
        with contextlib.suppress(OSError):
            status = os.stat(photo)
            return os.path.abspath(photo), status.st_mtime_ns, status.st_size
        return os.path.abspath(photo)
    picture = read_photo(photo)
    digest = hashlib.blake2b(np.ascontiguousarray(picture.pixels).data)
    for part in (picture.alpha, picture.icc, picture.xmp, picture.exif):
        digest.update(b"" if part is None else bytes(part))
    return picture.size, picture.path, digest.digest()


class Recent(Generic[_Value]):
    """The latest values by key, made when they are missing."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._count:
                self._values.popitem(last=False)
        return value
