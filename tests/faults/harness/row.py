"""Rows of the fault table: the fault, the promise, the target and the run.

How to write one (in `tests/faults/rows/`, any module; all are loaded):

    @row("R06", title="SIGTERM under load", promise="all finish, exit 0",
         target="doubled 0, exit within the drain limit", limit=120)
    def sigterm_under_load(system: System, dice: Dice) -> Measured:
        workers = system.workers(processes=4, concurrency=4)
        system.submit([prepare("test.effect", {"seconds": 0.1}) for _ in range(500)])
        ...
        return Measured(figure=f"exit {code} after {took:.1f} s", met=code == 0)

- Each row gets a fresh database in a durable cluster (`system.server`: `crash()`, `stop()`,
  `start()`, `pid`) that nothing else uses. Django in this process is connected to it: models and
  verbs work.
- `system.submit(submissions)` commits them and writes their ids to the file of accepted ones; a
  client over HTTP calls `system.accepted.add(ids)` itself.
- `system.workers(processes=, concurrency=, queues=, **environment)` starts `manage.py worker` and
  waits until it is registered; `system.web(**environment)` starts the web server. Both are
  processes with `pid`, `signal()`, `wait()`, `output()`, `descendants()`; `DATABASE_URL=` points
  them to a proxy. All are ended after the row in any case.
- `system.kill(worker)` sends SIGKILL to a worker process and records the fault, `system.fault(...)`
  records another; `system.recovery()` then returns how long the tasks waited for their next start.
- Every figure comes from the run: `system.count(status)`, `system.doubled()` (I2),
  `system.clobbers()` (I3), your own queries; never a constant.
- `system.queries.rows(sql)` and `.value(sql)` read, also across outages; `system.quick` selects
  the short version of a row that takes minutes.
- I1 to I6 are checked by the harness, every 5 s and at the end: a row is met only if they held too.
  A row that leaves unended tasks on purpose sets `ends=False`.
- All randomness comes from `dice`, a `random.Random` seeded for the row. A row that cannot run on
  this machine raises `NotRun` with the reason.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import rows as rows_package
from tests.faults.harness.system import System

Dice = random.Random


@dataclass(frozen=True)
class Measured:
    """The result of a run as text for the report, and whether the target was met."""

    figure: str
    met: bool


class NotRun(Exception):
    """The row cannot run on this machine; the message is the reason."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault; `limit` is the longest run in seconds, `ends` whether all its tasks end."""

    id: str
    title: str
    promise: str
    target: str
    limit: float
    ends: bool
    run: Callable[[System, Dice], Measured]


_rows: dict[str, Row] = {}


def row(
    id: str, *, title: str, promise: str, target: str, limit: float = 300.0, ends: bool = True
) -> Callable[[Callable[[System, Dice], Measured]], Callable[[System, Dice], Measured]]:
    """Register the decorated function as the run of a row."""

    def register(run: Callable[[System, Dice], Measured]) -> Callable[[System, Dice], Measured]:
        if id in _rows:
            raise ValueError(f"row {id} is defined twice")
        _rows[id] = Row(
            id=id, title=title, promise=promise, target=target, limit=limit, ends=ends, run=run
        )
        return run

    return register


def all_rows() -> dict[str, Row]:
    """Load every module of rows; return the rows by id, sorted."""
    for module in pkgutil.iter_modules(rows_package.__path__):
        importlib.import_module(f"{rows_package.__name__}.{module.name}")
    return dict(sorted(_rows.items()))
