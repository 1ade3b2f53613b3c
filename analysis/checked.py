"""Long loops that notice when their task should stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

# `context.check`, which raises when the task should stop.
Check = Callable[[], None]
Item = TypeVar("Item")

# Words and sentences take microseconds each: a check after so many costs less than a thousandth.
_BETWEEN_CHECKS = 100


def checked(items: Iterable[Item], check: Check) -> Iterator[Item]:
    """Yield the items; call `check` before the first and after every hundred."""
    for number, item in enumerate(items):
        if number % _BETWEEN_CHECKS == 0:
            check()
        yield item


def unchecked() -> None:
    """Never stop: the check of callers that have no task."""
