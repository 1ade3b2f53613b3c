"""Several systems on one server: warmed up, then run in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmarks.bench import Bench

Named = TypeVar("Named")
Found = TypeVar("Found")


def take_turns(
    bench: Bench,
    contenders: Sequence[Named],
    once: Callable[[Named], Found],
    *,
    warm_up: Callable[[Named], object] | None = None,
    show: Callable[[Found], str],
    name: Callable[[Named], str],
) -> dict[str, list[Found]]:
    """Warm each contender up, then run it as often as asked; what was found, by name.

    The order turns round after each round, so that a drift of the machine meets all alike.
    """
    found: dict[str, list[Found]] = {name(one): [] for one in contenders}
    if warm_up and bench.scale >= 1:
        for one in contenders:
            bench.tell(f"warming up: {name(one)}")
            warm_up(one)
    order = list(contenders)
    for turn in range(bench.repeat):
        for one in order:
            found[name(one)].append(once(one))
            bench.tell(f"{turn + 1}/{bench.repeat} {name(one)}: {show(found[name(one)][-1])}")
        order.reverse()
    return found
