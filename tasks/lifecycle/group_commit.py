"""Group commit: items that arrive during a write share the next write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Place(Generic[Item, Result]):
    """One thread's item; `called` is set once it is written or this thread must write."""

    item: Item
    results: list[Result] = field(default_factory=list)
    error: BaseException | None = None
    called: threading.Event = field(default_factory=threading.Event)

    @property
    def is_written(self) -> bool:
        return bool(self.results or self.error)


class GroupCommit(Generic[Item, Result]):
    """Writes items of several threads together, each in the thread of one of them.

    `write` takes items and returns a result for each, in their order. What it raises is raised in
    every thread of the group; but after one that is a refusal of some item they are written one by
    one, so that each thread gets only its own error. A single item is written at once.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        is_refusal: Callable[[BaseException], bool],
    ) -> None:
        self._write = write
        self._is_refusal = is_refusal
        self._lock = threading.Lock()
        self._waiting: list[_Place[Item, Result]] = []
        self._is_writing = False

    def __call__(self, item: Item) -> Result:
        """Write the item and return its result."""
        place = _Place[Item, Result](item)
        with self._lock:
            self._waiting.append(place)
            leads, self._is_writing = not self._is_writing, True
        if not leads:
            place.called.wait()
        if not place.is_written:
            self._lead()
        if place.error:
            raise place.error
        return place.results[0]

    def _lead(self) -> None:
        """Write all waiting items, then wake the first thread that arrived meanwhile."""
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            self._write_group(group)
        finally:
            with self._lock:
                self._is_writing = bool(self._waiting)
                following = self._waiting[:1]
            for place in (*group, *following):
                place.called.set()

    def _write_group(self, group: list[_Place[Item, Result]]) -> None:
        try:
            results = self._write([place.item for place in group])
        except BaseException as error:  # no thread may be left waiting
            if len(group) > 1 and self._is_refusal(error):
                for place in group:
                    self._write_group([place])
                return
            for place in group:
                # A copy for each thread, because raising it changes its traceback.
                place.error = copy(error).with_traceback(error.__traceback__)
                place.error.__cause__ = error.__cause__
        else:
            for place, result in zip(group, results, strict=True):
                place.results.append(result)
