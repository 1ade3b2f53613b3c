"""Growth of work: the processor time for a text and for one twice as long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from tests.growth.texts import SHAPES, Shape

# Work that is linear takes twice as long for twice the length, work that is quadratic four times.
MOST_GROWTH = 2.3
# Below this, in seconds, the processor's caches and the collector matter more than the length.
FLOOR = 0.05
_TRIES = 6

Work = Callable[[str], object]


def seconds(work: Work, text: str, *, runs: int = 1) -> float:
    """Return the least processor time of several runs; a refusal of the text is an answer too."""
    least = float("inf")
    for _ in range(runs):
        begin = time.thread_time()
        with suppress(Exception):
            work(text)
        least = min(least, time.thread_time() - begin)
    return least


def growth(work: Work, shape: Shape, length: int) -> float:
    """Return by which factor the work grows from half the length; 0 where it is below FLOOR."""
    short, long = shape(length // 2), shape(length)
    least = [float("inf"), seconds(work, long)]
    if least[1] <= FLOOR:
        return 0.0
    for _ in range(_TRIES):
        least[0] = min(least[0], seconds(work, short))
        least[1] = min(least[1], seconds(work, long))
        if least[1] <= MOST_GROWTH * least[0]:
            break
    return least[1] / least[0]


def too_fast(
    work: Work, length: int, shapes: Mapping[str, Shape] = SHAPES
) -> Iterator[tuple[str, float]]:
    """Yield the shapes for which the work grows faster than the text, with the factor."""
    for name, shape in shapes.items():
        if (factor := growth(work, shape, length)) > MOST_GROWTH:
            yield name, round(factor, 1)
