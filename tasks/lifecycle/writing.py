"""Writing: submissions become tasks, or find the unique tasks that exist already."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from tasks import sql
from tasks.lifecycle.preparation import submit_params, submit_statement
from tasks.submission import Owned

# Runs a statement in the caller's transaction.
Run = Callable[[LiteralString, dict[str, Any]], list[sql.Row]]

# How often a unique task is tried while those that it conflicts with begin or end.
_TRIES = 3


@dataclass
class Written:
    """What became of submissions, by their ids; those in neither repeat a request or a task."""

    # Rows of `submit.sql`, and of `replace.sql` for tasks that took over the request.
    submitted: dict[uuid.UUID, sql.Row] = field(default_factory=dict)
    replaced: dict[uuid.UUID, sql.Row] = field(default_factory=dict)

    @property
    def left_jobs(self) -> list[int]:
        """Return the jobs of replaced tasks that are to be discarded after the commit."""
        return [row[5] for row in self.replaced.values() if row[5]]


def write(
    new: Sequence[Owned],
    run: Run,
    *,
    batch_id: uuid.UUID | None = None,
    commits_at_once: bool = False,
) -> Written:
    """Write tasks and their jobs, in as few statements as possible: one where none is unique."""
    written = Written()
    left = list(new)
    for _ in range(_TRIES if left else 0):
        params = submit_params(left, batch_id=batch_id, commits_at_once=commits_at_once)
        rows = run(submit_statement(left), params)
        written.submitted |= {row[0]: row for row in rows}
        if len(rows) == len(left):
            break
        left = [owned for owned in left if owned.submission.id not in written.submitted]
        unmet = _replace(left, run, written, commits_at_once)
        freed = _with_free_key(
            [owned for owned in left if owned.submission.id not in written.replaced], run
        )
        left = list({owned.submission.id: owned for owned in (*unmet, *freed)}.values())
        if not left:
            break
    return written


def _replace(
    left: Iterable[Owned], run: Run, written: Written, commits_at_once: bool
) -> list[Owned]:
    """Change waiting tasks to what newer requests ask for; return those that met none.

    Of several requests for one task the last one counts.
    """
    waiting: dict[uuid.UUID | None, list[Owned]] = {}
    for owned in left:
        if owned.on_conflict == "replace":
            waiting.setdefault(owned.unique_key, []).append(owned)
    if not waiting:
        return []
    newest = [requests[-1] for requests in waiting.values()]
    for row in run(sql.REPLACE, submit_params(newest, commits_at_once=commits_at_once)):
        for owned in waiting.pop(row[6]):
            written.replaced[owned.submission.id] = row
    return [owned for requests in waiting.values() for owned in requests]


def _with_free_key(left: Iterable[Owned], run: Run) -> list[Owned]:
    """Free the keys of tasks whose time is over; return who may go on."""
    unique = {owned.unique_key: owned for owned in left if owned.unique_key}
    if not unique:
        return []
    return [unique[key] for (key,) in run(sql.FREE_KEYS, {"keys": list(unique)})]
