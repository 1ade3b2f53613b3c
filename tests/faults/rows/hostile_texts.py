"""Texts that a careless parser goes back over again and again: S22."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.conf import settings

from analysis.summarize.extract import summarize
from analysis.text.handler import analyze
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.growth.measure import MOST_GROWTH, Work, growth, seconds
from tests.growth.parsers import PARSERS
from tests.growth.texts import SHAPES
from tests.waiting import wait_until

# The longest texts that the schemas of the kinds accept.
KINDS: dict[str, tuple[Work, int]] = {
    "text.analyze": (analyze, 2_000_000),
    "text.summarize": (summarize, 200_000),
}
QUICK_SHAPES = ("abbreviations", "paragraphs", "distinct words", "marks out of order")
SUMMARIES = 16
STOPS_WITHIN = 1.0


@row(
    "S22",
    title=f"{len(SHAPES)} growing hostile texts (abbreviations, quotes, brackets, one word, one "
    "line, combining marks, …) for kinds and parsers, up to the longest that is accepted",
    promise="linear or bounded",
    target=f"time at n and 2n: ≤ {MOST_GROWTH:g} ×; a cancelled task stops within 1 s",
    limit=1_800,
)
def hostile_texts(system: System, dice: Dice) -> Measured:
    """Measure each shape in this process, then let such texts fill a worker."""
    settings.OPENROUTER_API_KEY = ""
    names = QUICK_SHAPES if system.quick else tuple(SHAPES)
    factors = sorted(_factors(names), reverse=True)
    worst, place = factors[0]
    slowest, text = max(
        (seconds(work, SHAPES[name](length)), f"{kind}, {name}")
        for kind, (work, length) in KINDS.items()
        for name in names
    )
    small, stopped = _beside_long_texts(system), _seconds_to_stop(system)
    return Measured(
        f"{len(factors)} pairs: at most {worst:.1f} × ({place}); the slowest text took "
        f"{slowest:.1f} s ({text}); a small text ended {small:.1f} s after {SUMMARIES} of 200 KB "
        f"were submitted; a cancelled analysis of 2 MB stopped after {stopped:.1f} s",
        met=worst <= MOST_GROWTH and stopped <= STOPS_WITHIN,
    )


def _factors(names: tuple[str, ...]) -> Iterator[tuple[float, str]]:
    """Yield the growth of each kind and parser for each shape."""
    for subject, (work, length) in {**KINDS, **PARSERS}.items():
        for name in names:
            yield growth(work, SHAPES[name], length), f"{subject}, {name}"


def _beside_long_texts(system: System) -> float:
    """Return how long a small summary takes behind many long ones, in one process."""
    long = [
        prepare("text.summarize", {"content": SHAPES["abbreviations"](200_000)})
        for _ in range(SUMMARIES)
    ]
    system.workers(concurrency=8, OPENROUTER_API_KEY="")
    system.submit(long)
    begin = time.monotonic()
    (small,) = system.submit([prepare("text.summarize", {"content": "One. Two. Three."})])
    wait_until(lambda: system.task(small).is_terminal, within=300, what="the small text ended")
    took = time.monotonic() - begin
    system.wait_until_ended(within=300)
    return took


def _seconds_to_stop(system: System) -> float:
    """Return how long a running analysis takes to end once it is cancelled."""
    (task_id,) = system.submit(
        [prepare("text.analyze", {"text": SHAPES["distinct words"](2_000_000)})]
    )
    wait_until(lambda: system.task(task_id).status == Status.PROCESSING, what="it runs")
    begin = time.monotonic()
    lifecycle.cancel_many([task_id])
    wait_until(lambda: system.task(task_id).is_terminal, within=60, what="it ended")
    return time.monotonic() - begin
