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

    def __init__(self, count: int, weigh: Callable[[_Value], int] = lambda _: 0, most: int = 0) -> None:
        """Keeps ``count`` values, and no more than weigh ``most`` together; the latest whatever it weighs."""
        self._count, self._weigh, self._most = count, weigh, most
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
            while len(self._values) > 1 and self._is_full():
                self._values.popitem(last=False)
        return value

    def _is_full(self) -> bool:
        return len(self._values) > self._count or sum(map(self._weigh, self._values.values())) > self._most
