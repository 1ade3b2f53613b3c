"""Check: looks at the invariants in snapshots, and reports what does not mend itself."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, LiteralString

from django.apps import apps
from django.db import Error, transaction
from django.db.models import ForeignKey

from tasks import sql
from tasks.invariants.parts import FIRST, LIMIT, Part, Range, newest, next_range, ranges, time_of
from tasks.invariants.report import EXAMPLES, MOST, Finding, Report
from tasks.invariants.rules import INVARIANTS
from tasks.invariants.snapshot import snapshot
from tasks.lifecycle.ending import DEATHS_LIMIT
from tasks.lifecycle.verbs import LOSSES_LIMIT
from tasks.postgres.failures import is_outage
from tasks.postgres.migrations import (
    MigrationsMissing,
    MigrationsUnknown,
    require_these_migrations,
)

# A violation counts if a second snapshot, so many seconds later, shows it too: by then a dead
# worker's tasks are rescued, and the reconciler has repaired as many rows as a look reads.
SETTLE_SECONDS = 120.0
# The tasks whose callbacks are looked for have ended within this time: later a callback may have
# been deleted by hand.
CALLBACK_TIME = dt.timedelta(minutes=10)
# The tables of procrastinate that are read, and the indexes that only migrations name.
_TABLES = ("procrastinate_jobs", "procrastinate_workers")
_NAMES = ("tasks_waiting", "tasks_turns", "tasks_scheduled")


class NotChecked(Exception):
    """Nothing could be checked; the message is a sentence."""


@dataclass(frozen=True)
class Step:
    """One statement for one part of the tables."""

    invariant: str
    statement: LiteralString
    params: dict[str, Any]


@dataclass
class _Looks:
    """What the first looks have found, and what they cost."""

    suspicions: list[tuple[Step, list[str]]] = field(default_factory=list)
    unchecked: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def verify(
    *,
    after: uuid.UUID | None = None,
    wait: Callable[[float], Any] = time.sleep,
) -> Report | None:
    """Check the invariants, reading only; raise NotChecked if nothing can be checked.

    Reads what waits and runs, the newest tasks and, of the older ones, the range that follows
    `after`; without it all ranges, each in a snapshot of its own. Returns None if `wait`, which is
    called with seconds between two looks, returns true: the caller must stop.
    """
    try:
        require_these_migrations()
        return _verify(after, wait)
    except (Error, MigrationsMissing, MigrationsUnknown) as error:
        raise NotChecked(str(error).strip()) from error


def _verify(after: uuid.UUID | None, wait: Callable[[float], Any]) -> Report | None:
    looks = _Looks()
    began = time.monotonic()
    with snapshot():
        at = sql.database_now()
        new = newest()
        params = _common_params(at, new.after)
        steps = [*_live_steps(params), *_range_steps(new, params)]
        next_after = FIRST
        if after is not None and (old := _following(after, until=new.after)):
            steps += _range_steps(old, params)
            next_after = old.until
        _look(steps, looks)
    if after is None:
        for each in ranges(until=new.after):
            with snapshot():
                _look(_range_steps(each, params), looks)
    looks.seconds = time.monotonic() - began
    if looks.suspicions and wait(SETTLE_SECONDS):
        return None
    findings = _confirmed(looks)
    return Report(
        at=at,
        seconds=looks.seconds,
        findings=findings,
        unchecked=looks.unchecked,
        next_after=next_after,
    )


def _following(after: uuid.UUID, *, until: uuid.UUID) -> Range | None:
    """Return the range that follows, or the first one after the last."""
    return next_range(after, until=until) or next_range(FIRST, until=until)


def _common_params(now: dt.datetime, newest_after: uuid.UUID) -> dict[str, Any]:
    models = list(apps.get_app_config("tasks").get_models())
    tables = [model._meta.db_table for model in models]
    return {
        "now": now,
        "settle": SETTLE_SECONDS,
        "limit": LIMIT,
        "most": MOST,
        "max_losses": LOSSES_LIMIT,
        "max_deaths": DEATHS_LIMIT,
        "newest": newest_after,
        # A minute, because the clock of the keys and that of the ends may have been set.
        "since": max(now - CALLBACK_TIME, time_of(newest_after) + dt.timedelta(minutes=1)),
        "tables": [*tables, *_TABLES],
        "names": [
            *_NAMES,
            *(f"{table}_pkey" for table in (*tables, *_TABLES)),
            *(c.name for model in models for c in model._meta.constraints),
            *(index.name for model in models for index in model._meta.indexes),
        ],
        "references": [
            f"{model._meta.db_table}.{field.column}"
            for model in models
            for field in model._meta.local_fields
            if isinstance(field, ForeignKey)
        ],
    }


def _live_steps(params: dict[str, Any]) -> Iterator[Step]:
    for invariant in INVARIANTS:
        for part, statement in invariant.statements():
            if part is not Part.RANGE:
                yield Step(invariant.name, statement, params)


def _range_steps(tasks: Range, params: dict[str, Any]) -> Iterator[Step]:
    for invariant in INVARIANTS:
        for part, statement in invariant.statements():
            if part is Part.RANGE:
                bounds = {"after": tasks.after, "until": tasks.until}
                yield Step(invariant.name, statement, {**params, **bounds})


def _look(steps: Iterable[Step], looks: _Looks) -> None:
    for step in steps:
        if ids := _violations(step, looks.unchecked):
            looks.suspicions.append((step, ids))


def _violations(step: Step, unchecked: dict[str, str]) -> list[str]:
    """Return the ids for which the invariant does not hold; note it if the statement fails."""
    try:
        # A savepoint: the next statement of the snapshot goes on after an error.
        with transaction.atomic():
            return [str(row[0]) for row in sql.run(step.statement, step.params)]
    except Error as error:
        if is_outage(error):
            raise
        unchecked[step.invariant] = str(error).strip().partition("\n")[0]
        return []


def _confirmed(looks: _Looks) -> list[Finding]:
    """Look again at what the first looks have found; return what is still so."""
    if not looks.suspicions:
        return []
    began = time.monotonic()
    ids_by_name: dict[str, set[str]] = defaultdict(set)
    for step, suspected in looks.suspicions:
        with snapshot():
            again = set(_violations(step, looks.unchecked))
        ids_by_name[step.invariant] |= again.intersection(suspected)
    looks.seconds += time.monotonic() - began
    return [
        Finding(
            invariant=invariant,
            count=min(len(ids), MOST),
            examples=sorted(ids)[:EXAMPLES],
        )
        for invariant in INVARIANTS
        if (ids := ids_by_name[invariant.name])
    ]
