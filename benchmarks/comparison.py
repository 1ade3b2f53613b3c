"""Comparison of several systems on one server: warmed up, then run in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmarks.bench import Bench

Contender = TypeVar("Contender")
Result = TypeVar("Result")


def take_turns(
    bench: Bench,
    contenders: Sequence[Contender],
    once: Callable[[Contender], Result],
    *,
    warm_up: Callable[[Contender], object] | None = None,
    show: Callable[[Result], str],
    name: Callable[[Contender], str],
) -> dict[str, list[Result]]:
    """Warm each contender up, then run it `repeat` times; return the results by name.

    The order is reversed after each round, so that a drift of the machine affects all equally.
    """
    results: dict[str, list[Result]] = {name(contender): [] for contender in contenders}
    if warm_up and bench.scale >= 1:
        for contender in contenders:
            bench.log(f"warming up: {name(contender)}")
            warm_up(contender)
    order = list(contenders)
    for turn in range(bench.repeat):
        for contender in order:
            result = once(contender)
            results[name(contender)].append(result)
            bench.log(f"{turn + 1}/{bench.repeat} {name(contender)}: {show(result)}")
        order.reverse()
    return results
