"""A small cache of the latest values."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twocet.runtime.processes import PerProcess

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """The latest values by key, made when they are missing."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._lock = PerProcess(threading.Lock)

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        with self._lock.get():
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock.get():
            self._values[key] = value
            while len(self._values) > self._count:
                self._values.popitem(last=False)
        return value
