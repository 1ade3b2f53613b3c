"""Several systems on one server: warmed up, then run in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.cluster import Cluster
from benchmarks.life import create_schema, live
from benchmarks.measurement import Runs
from benchmarks.systems.system import System

WARM_UP_SHARE = 10


def compare(
    systems: Sequence[System],
    cluster: Cluster,
    *,
    tasks: int | None,
    repeat: int,
    tell: Callable[[str], None],
) -> Runs:
    """Run every system `repeat` times; the runs by the system's name.

    The order turns round after each round, so that a drift of the machine meets all alike.
    """
    runs: Runs = {system.name: [] for system in systems}
    with _templates(systems, cluster) as templates:
        for system in systems:
            tell(f"warming up: {system.name}")
            count = max((tasks or system.tasks) // WARM_UP_SHARE, 1)
            live(system, cluster, template=templates[system.name], tasks=count)
        order = list(systems)
        for turn in range(repeat):
            for system in order:
                count = tasks or system.tasks
                run = live(system, cluster, template=templates[system.name], tasks=count)
                runs[system.name].append(run)
                tell(f"run {turn + 1} of {repeat}: {system.name}: {run.drain_rate:,.0f} tasks/s")
            order.reverse()
    return runs


@contextmanager
def _templates(systems: Sequence[System], cluster: Cluster) -> Iterator[dict[str, str]]:
    """Make a database with each system's tables, from which every run gets a copy."""
    with ExitStack() as databases:
        templates = {}
        for number, system in enumerate(systems):
            name = f"template_{number}"
            create_schema(system, databases.enter_context(cluster.database(name)))
            templates[system.name] = name
        yield templates
