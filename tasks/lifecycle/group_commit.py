"""Group commit: what is handed in while the last group is written shares the next write."""

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
    """One thread's item, until there is a result or an error, or its turn to write."""

    item: Item
    results: list[Result] = field(default_factory=list)
    error: BaseException | None = None
    called: threading.Event = field(default_factory=threading.Event)

    @property
    def is_written(self) -> bool:
        return bool(self.results or self.error)


class GroupCommit(Generic[Item, Result]):
    """Writes items of several threads together, each in the thread of one of them.

    `write` takes items and returns a result for each, in their order. What it raises is raised to
    all whose items were in the group; but a group that is `refused` is written one by one, so that
    each is told of its own. Alone, an item is written at once.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        refused: tuple[type[Exception], ...],
    ) -> None:
        self._write = write
        self._refused = refused
        self._lock = threading.Lock()
        self._waiting: list[_Place[Item, Result]] = []
        self._is_writing = False

    def __call__(self, item: Item) -> Result:
        """Return the item's result when it is written."""
        own = _Place[Item, Result](item)
        with self._lock:
            self._waiting.append(own)
            leads, self._is_writing = not self._is_writing, True
        if not leads:
            own.called.wait()
        if not own.is_written:
            self._lead()
        if own.error:
            raise own.error
        return own.results[0]

    def _lead(self) -> None:
        """Write all that waits, then let the first who came meanwhile go on."""
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
        except BaseException as error:  # whatever it is, nobody is left waiting
            if len(group) > 1 and isinstance(error, self._refused):
                for place in group:
                    self._write_group([place])
                return
            for place in group:
                # Its own for each thread, which adds where it was raised.
                place.error = copy(error).with_traceback(error.__traceback__)
                place.error.__cause__ = error.__cause__
        else:
            for place, result in zip(group, results, strict=True):
                place.results.append(result)
