"""Whole life of a task (P1, P2): with the slots of the defaults, and with very many."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks import limit
from benchmarks.bench import Bench
from benchmarks.comparison import take_turns
from benchmarks.life import live
from benchmarks.measurement import Measurement
from benchmarks.results import JUDGED_FROM, Check, Figure, Row, at_least, at_most
from benchmarks.systems.brokers import RabbitMQ, Redis
from benchmarks.systems.celery.system import Celery
from benchmarks.systems.django_ox.system import DjangoOx
from benchmarks.systems.graphile.system import Graphile
from benchmarks.systems.oban.system import Oban
from benchmarks.systems.ours.system import Ours
from benchmarks.systems.pgqueuer.system import PgQueuer
from benchmarks.systems.procrastinate.system import Procrastinate
from benchmarks.systems.system import System

OURS = Ours()
# As many slots as for handlers that wait: what a hand-over to each of them costs.
MANY_SLOTS = tuple(Ours(f"this project, 2 × {slots} slots", slots=slots) for slots in (50, 200))
RABBIT = Celery(RabbitMQ(), tasks=5_000)
GRAPHILE = Graphile()
OBAN, OBAN_50 = (Oban(f"oban-py, 2 × {slots} slots", slots=slots) for slots in (200, 50))
PEERS: tuple[System, ...] = (
    Procrastinate(),
    Celery(Redis(), tasks=5_000),
    RABBIT,
    PgQueuer(),
    DjangoOx(),
    GRAPHILE,
    OBAN,
    OBAN_50,
)
WARM_UP_SHARE = 10
LEAST_TASKS = 100


def measure(bench: Bench) -> list[Row]:
    """Run every system in turns, then the statements alone."""
    systems = bench.present([OURS, *MANY_SLOTS, *PEERS])
    with bench.templates(systems) as templates:

        def once(system: System, share: int = 1) -> Measurement:
            tasks = bench.count(system.tasks // share, least=LEAST_TASKS)
            return live(bench, system, template=templates[system.name], tasks=tasks)

        runs = take_turns(
            bench,
            systems,
            once,
            warm_up=lambda system: once(system, WARM_UP_SHARE),
            show=lambda run: f"{run.drain_rate:,.0f} tasks/s",
            name=lambda system: system.name,
        )
        limits = limit.measure(bench, templates[OURS.name])
    figures = {name: figure(name, measured) for name, measured in runs.items()}
    return [_with_few_slots(figures, limits), _with_many_slots(figures)]


def _with_few_slots(figures: dict[str, Figure], limits: Sequence[Figure]) -> Row:
    ours = figures[OURS.name]
    return Row(
        id="P1",
        title="Whole life of a task, its row in Postgres",
        unit="tasks/s",
        figures=[ours, *_peers(figures), *limits],
        checks=_checks(ours, figures, limits),
        notes=["CPU and memory are those of workers and broker; CPU also that of Postgres."],
    )


def _with_many_slots(figures: dict[str, Figure]) -> Row:
    ours = [figures[system.name] for system in MANY_SLOTS]
    slowest = min(ours, key=lambda figure: figure.median)
    return Row(
        id="P2",
        title="Whole life of a task, many slots",
        unit="tasks/s",
        figures=[*ours, *_peers(figures)],
        checks=[
            at_least("tasks/s", slowest.median, 15_000, too_short=slowest.too_short),
            *_times(slowest, figures, GRAPHILE.name, 2.2),
            *_times(slowest, figures, OBAN.name, 1.1),
        ],
    )


def _peers(figures: dict[str, Figure]) -> list[Figure]:
    return [figures[peer.name] for peer in PEERS if peer.name in figures]


def figure(name: str, runs: Sequence[Measurement]) -> Figure:
    """Return a system's figure with its costs."""
    return Figure(
        name=name,
        runs=[run.drain_rate for run in runs],
        more={
            "tasks": runs[0].tasks,
            "submit/s": median([run.submit_rate for run in runs]),
            "CPU s per 1,000": median([run.cpu_seconds / run.tasks * 1_000 for run in runs]),
            "MiB at most": median([run.memory_mib for run in runs]),
            "WAL bytes per task": median([run.wal_bytes / run.tasks for run in runs]),
        },
        too_short=runs[0].tasks < JUDGED_FROM,
    )


def _checks(ours: Figure, figures: dict[str, Figure], limits: Sequence[Figure]) -> list[Check]:
    highest = max(limits, key=lambda figure: figure.median)
    share = ours.median / highest.median
    short = ours.too_short or highest.too_short
    return [
        at_least("tasks/s", ours.median, 32_000, too_short=ours.too_short),
        *_times(ours, figures, RABBIT.name, 10),
        *_times(ours, figures, GRAPHILE.name, 5),
        *_times(ours, figures, OBAN.name, 2),
        at_most("WAL", ours.more["WAL bytes per task"], 2_000, "bytes per task"),
        at_least("share of the statements' limit", share, 0.6, too_short=short),
    ]


def _times(ours: Figure, figures: dict[str, Figure], peer: str, target: float) -> list[Check]:
    """Check the ratio to a peer, if it could run."""
    if peer not in figures:
        return []
    other = figures[peer]
    short = ours.too_short or other.too_short
    return [at_least(f"times {peer}", ours.median / other.median, target, too_short=short)]
