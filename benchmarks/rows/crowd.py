"""Crowd (P3b): POST of one task over many connections, and beside clients that wait for a task."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import http_load
from benchmarks.bench import Bench
from benchmarks.http_load import Load, load, send, serving
from benchmarks.results import Figure, Row, at_most, percentile
from benchmarks.systems.ours.site import OurSite

CONNECTIONS = 200
WAITING = 64
SECONDS = 6.0
WARM_UP_SECONDS = 2.0
PROBE_SECONDS = 0.02
OURS = OurSite()
ALL, BESIDE = f"{CONNECTIONS} connections", f"{WAITING} of them hold `Prefer: wait`"


@dataclass(frozen=True)
class Crowd:
    """A load, and what probes of `/health/live` took meanwhile, in milliseconds."""

    load: Load
    probes: list[float]


def measure(bench: Bench) -> list[Row]:
    """Serve our site, and load it in both ways in turns."""
    if reason := http_load.missing():
        bench.skipped["P3b"] = reason
        return []
    with (
        bench.template(OURS) as template,
        bench.fresh(OURS, template) as (environment, scratch),
        serving(OURS, environment, scratch) as url,
    ):
        _, content, _ = send(url + OURS.route, body=OURS.body.encode())
        task = f"{url}/api/v1/tasks/{json.loads(content)['task_id']}"
        _load(url, scratch, task, waiting=WAITING, seconds=WARM_UP_SECONDS)
        crowds: dict[str, list[Crowd]] = {ALL: [], BESIDE: []}
        for _ in range(bench.repeat):
            for name, waiting in ((ALL, 0), (BESIDE, WAITING)):
                crowd = _load(url, scratch, task, waiting=waiting, seconds=bench.seconds(SECONDS))
                crowds[name].append(crowd)
                bench.log(
                    f"{name}: {crowd.load.rate:,.0f} requests/s, p99 {crowd.load.p99_ms:.0f} ms"
                )
    figures = [_figure(name, loads) for name, loads in crowds.items()]
    return [
        Row(
            id="P3b",
            title=f"POST of one task, {CONNECTIONS} connections",
            unit="requests/s",
            figures=figures,
            checks=[
                check
                for figure in figures
                for check in (
                    at_most(f"p99, {figure.name}", figure.more["p99 ms"], 150, "ms"),
                    at_most(f"health p99, {figure.name}", figure.more["health p99 ms"], 50, "ms"),
                )
            ],
            notes=["No request was refused: the run fails otherwise."],
        )
    ]


def _load(url: str, scratch: Path, task: str, *, waiting: int, seconds: float) -> Crowd:
    probes: list[float] = []
    with ExitStack() as stack:
        for _ in range(waiting):
            stack.enter_context(_repeated(lambda: _wait_for(task)))
        stack.enter_context(_repeated(lambda: probes.append(_probe(url))))
        result = load(
            url + OURS.route,
            scratch,
            seconds=seconds,
            body=OURS.body,
            connections=CONNECTIONS - waiting,
        )
    return Crowd(result, probes)


def _wait_for(task: str) -> None:
    send(task, headers={"Prefer": "wait=1"})


def _probe(url: str) -> float:
    time.sleep(PROBE_SECONDS)
    seconds, _, _ = send(f"{url}/health/live")
    return 1_000 * seconds


@contextmanager
def _repeated(work: Callable[[], object]) -> Iterator[None]:
    """Do the work again and again in a thread during the block; raises what the work raised."""
    stop = threading.Event()
    errors: list[Exception] = []

    def repeat() -> None:
        while not stop.is_set():
            try:
                work()
            except OSError as error:
                errors.append(error)
                return

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def _figure(name: str, crowds: list[Crowd]) -> Figure:
    return Figure(
        name=name,
        runs=[crowd.load.rate for crowd in crowds],
        more={
            "p50 ms": median(crowd.load.p50_ms for crowd in crowds),
            "p99 ms": median(crowd.load.p99_ms for crowd in crowds),
            "health p99 ms": median(percentile(crowd.probes, 0.99) for crowd in crowds),
        },
    )
