"""Growth of work: the processor time for a text and for one twice as long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from tests.growth.texts import SHAPES, Shape

# Work that is linear takes twice as long for twice the length, work that is quadratic four times.
MOST_GROWTH = 2.3
# A long text exceeds the processor's caches, which costs a factor once, not for each doubling.
DOUBLINGS = 4
# Below this, in seconds, the processor's caches and the collector matter more than the length.
FLOOR = 0.05
_MOST_TRIES = 30
# Seconds: quadratic work is reported soon.
_LONGEST = 5.0

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
    """Return by which factor the work grows for twice the length; 0 where it is below FLOOR.

    Measured over several doublings, again and again while the factor is too high: on a busy machine
    processor time is too long by any factor, but never too short.
    """
    short, long = shape(length // 2**DOUBLINGS), shape(length)
    least_long = seconds(work, long)
    if least_long <= FLOOR:
        return 0.0
    least_short = seconds(work, short)
    for number in range(_MOST_TRIES):
        if least_long <= MOST_GROWTH**DOUBLINGS * least_short or number * least_long > _LONGEST:
            break
        least_short = min(least_short, seconds(work, short))
        least_long = min(least_long, seconds(work, long))
    factor: float = (least_long / least_short) ** (1 / DOUBLINGS)
    return factor


def too_fast(
    work: Work, length: int, shapes: Mapping[str, Shape] = SHAPES
) -> Iterator[tuple[str, float]]:
    """Yield the shapes for which the work grows faster than the text, with the factor."""
    for name, shape in shapes.items():
        if (factor := growth(work, shape, length)) > MOST_GROWTH:
            yield name, round(factor, 1)
