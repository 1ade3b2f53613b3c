"""SQL statements that change the status of tasks: together they are the state machine."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, LiteralString

from django.db import connection

from tasks.postgres.base import prepared_cursor

Row = tuple[Any, ...]


# These comments stand for the content of another file.
_PLACES = {
    "-- callbacks", "-- queue_lanes", "-- is_jobless", "-- is_taskless", "-- submitted_jobs"
}  # fmt: skip


def _read(name: str) -> LiteralString:
    """Return a statement without indentation, and without comments but the first line, its name.

    PostgreSQL shows the first 1,024 bytes of what runs, and psycopg parses a statement of more than
    4,096 bytes again each time.
    """
    # As literal as a string in this file: nothing of a request is ever put into it.
    text = (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
    title, *lines = [line.strip() for line in text.splitlines()]
    body = [line for line in lines if not line.startswith("--") or line in _PLACES]
    return "\n".join([title, *body]) + "\n"


def _part(name: str) -> LiteralString:
    """Return what other statements have in its place."""
    return _read(name).partition("\n")[2]


def _calling_back(name: str, *, moved: LiteralString) -> LiteralString:
    """Return a statement that also queues the callbacks of the tasks in its part `moved`."""
    callbacks = _part("callbacks").replace("FROM moved", f"FROM {moved}")
    return _read(name).replace("-- callbacks\n", callbacks)


def _with_part(name: str, part: str) -> LiteralString:
    """Return a statement with the part that it shares with others in its place."""
    return _read(name).replace(f"-- {part}\n", _part(part))


def _without_conflicts(statement: LiteralString) -> LiteralString:
    """Return a statement without its part ON CONFLICT, for rows that repeat no other."""
    before, rest = statement.split("ORDER BY idempotency_key", 1)
    return before + rest[rest.index("RETURNING") :]


SUBMIT_KEYED = _with_part("submit", "submitted_jobs")
SUBMIT = _without_conflicts(SUBMIT_KEYED)
REPLACE = _with_part("replace", "submitted_jobs")
ANSWER = _calling_back("answer", moved="answered")
ANSWER_WAITING = _calling_back("answer_waiting", moved="answered")
REUSE = _read("reuse")
FREE_KEYS = _read("free_keys")
CLAIM = _with_part("claim", "queue_lanes")
FINISH = _calling_back("finish", moved="finished")
CANCEL = _calling_back("cancel", moved="cancelled")
EXPIRE = _calling_back("expire", moved="expired")
NOTED_ENDS = _read("noted_ends")
RELEASE = _read("release")
SKIP = _calling_back("skip", moved="skipped")
END_BATCHES = _calling_back("end_batches", moved="ended").replace(
    "'task_id', id, '", "'batch_id', id, '"
)
RETRY = _read("retry")
POSTPONE = _read("postpone")
DELETE = _read("delete")
DISCARD = _with_part("discard", "is_taskless")
RESCUE = _calling_back("rescue", moved="rescued")
IS_JOBLESS = _part("is_jobless")
IS_TASKLESS = _part("is_taskless")
RECONCILE = _with_part("reconcile", "is_jobless").replace("-- is_taskless\n", IS_TASKLESS)
PRUNE = _read("prune")
PRUNE_KEPT = _read("prune_kept")
RESET = _read("reset")
PAUSE = _read("pause")
RESUME = _read("resume")
ADOPT = _read("adopt")
ADOPT_RUNNING = _read("adopt_running")
HELD = _read("held")
IS_WAITING = _read("is_waiting")
DUE = _read("due")
LANES = _with_part("lanes", "queue_lanes")
FRONT = _with_part("front", "queue_lanes")
STAGE = _read("stage")
HEARTBEAT = _read("heartbeat")
PROGRESS = _read("progress")
REGISTER = _read("register")
DEREGISTER = _read("deregister")


def run(statement: LiteralString, params: dict[str, Any], *, prepared: bool = False) -> list[Row]:
    """Run a statement on this thread's connection; return its rows."""
    with prepared_cursor() if prepared else connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


def database_now() -> dt.datetime:
    """Read the database's clock."""
    ((now,),) = run("SELECT clock_timestamp()", {})
    assert isinstance(now, dt.datetime)
    return now
