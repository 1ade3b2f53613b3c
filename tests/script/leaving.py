"""Kinds that leave something in Django's connection, and what the attempt's error then states."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from django.db import InternalError, ProgrammingError, connections, transaction
from django.utils import timezone, translation
from psycopg.rows import dict_row

from tasks.kinds import Context, RetryPolicy, kind
from tests.script.models import Effect

Act = Callable[[Any], object]

_LEFT = (
    'The handler left a transaction open in the database "{}"; what it wrote there is rolled back.'
)
OPEN, OPEN_IN_OTHER = _LEFT.format("default"), _LEFT.format("other")
ENDED = 'The handler ended the transaction of its attempt in the database "default".'
REFUSED = (
    "A handler with transactional=True must not end its transaction: what it writes is committed"
    " together with its finish."
)
REFUSED_BY_WRAPPER = "refused by the wrapper that the handler left"


def _runs(*statements: str) -> Act:
    def act(connection: Any) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                with contextlib.suppress(InternalError, ProgrammingError):
                    cursor.execute(statement)

    return act


def _all(*acts: Act) -> Act:
    def act_all(connection: Any) -> None:
        for act in acts:
            act(connection)

    return act_all


def _in_other(act: Act) -> Act:
    return lambda connection: act(connections["other"])


def _sets(name: str, value: object) -> Act:
    return lambda connection: setattr(connection, name, value)


def _of_driver(act: Act) -> Act:
    def act_on_driver(connection: Any) -> None:
        connection.ensure_connection()
        act(connection.connection)

    return act_on_driver


def _enters(connection: Any) -> None:
    transaction.atomic(connection.alias).__enter__()


def _enters_and_closes(connection: Any) -> None:
    _enters(connection)
    connection.close()


def _enters_and_raises(connection: Any) -> None:
    _enters(connection)
    raise ValueError("its own error")


def _autocommit_off(connection: Any) -> None:
    connection.set_autocommit(False)


def _sets_language_and_zone(connection: Any) -> None:
    translation.activate("de")
    timezone.activate("Asia/Tokyo")


def _refuse(*_: Any) -> None:
    raise AssertionError(REFUSED_BY_WRAPPER)


def _commits(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("COMMIT")


# What Python would otherwise close for the handler.
_KEPT: list[Any] = []


def _enters_and_keeps(manager: Any) -> None:
    _KEPT.append(manager)
    manager.__enter__()


# By what a handler leaves: how it does so, and the error of its attempt, if it fails.
LEAVINGS: dict[str, tuple[Act, str | None]] = {
    "begin": (_runs("begin"), OPEN),
    "begin with a local setting": (_runs("begin", "set local search_path to nosuch"), OPEN),
    "aborted transaction": (_runs("begin", "select nosuch"), OPEN),
    "atomic without exit": (_enters, OPEN),
    "two atomics without exit": (_all(_enters, _enters), OPEN),
    "atomic without exit, closed": (_enters_and_closes, OPEN),
    "atomic without exit, and an error": (_enters_and_raises, "its own error"),
    "autocommit off and a query": (_all(_autocommit_off, _runs("select 1")), OPEN),
    "autocommit off": (_autocommit_off, None),
    "autocommit off in psycopg": (_of_driver(_sets("autocommit", False)), None),
    "transaction of psycopg": (_of_driver(lambda d: _enters_and_keeps(d.transaction())), OPEN),
    "unfinished COPY": (
        lambda c: _enters_and_keeps(c.cursor().copy("copy script_effect to stdout")),
        OPEN,
    ),
    "begin in the other": (_in_other(_runs("begin")), OPEN_IN_OTHER),
    "atomic without exit in the other": (_in_other(_enters), OPEN_IN_OTHER),
    "execute_wrappers": (lambda c: c.execute_wrappers.append(_refuse), None),
    "wrapper in the other": (_in_other(lambda c: c.execute_wrappers.append(_refuse)), None),
    "on-commit hook": (lambda c: c.run_on_commit.append((set(), _refuse, False)), None),
    "needs_rollback": (_sets("needs_rollback", True), None),
    "method": (_sets("cursor", _refuse), None),
    "rows as dicts": (_of_driver(_sets("row_factory", dict_row)), None),
    "read only": (_of_driver(_sets("read_only", True)), None),
    "closed": (lambda c: c.close(), None),
    "closed in psycopg": (_of_driver(lambda d: d.close()), None),
    "language and time zone": (_sets_language_and_zone, None),
}
# And in the transaction of a transactional kind.
IN_TRANSACTION: dict[str, tuple[Act, str | None]] = {
    "atomic without exit": (_enters, OPEN),
    "begin in the other": (_in_other(_runs("begin")), OPEN_IN_OTHER),
    "commit": (_commits, REFUSED),
    "commit, and the refusal is caught": (_runs("commit"), None),
    "exit of the worker's atomic": (
        lambda c: c.atomic_blocks[-1].__exit__(ValueError, ValueError(), None),
        ENDED,
    ),
    "rollback in psycopg": (_of_driver(lambda d: d.rollback()), ENDED),
    "savepoint": (lambda c: c.savepoint(), None),
    "execute_wrappers": (lambda c: c.execute_wrappers.append(_refuse), REFUSED_BY_WRAPPER),
}

_OPTIONS: dict[str, Any] = {"retry": RetryPolicy(max_retries=0)}


def _leave(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Leave what the input names, or write a row as any handler does."""
    if name := input.get("leaves"):
        act, _ = LEAVINGS[name]
        act(connections["default"])
        if name in ("begin", "atomic without exit"):
            Effect.objects.create(task_id=context.task_id, attempt=0)
        return {}
    return _write(context)


def _leave_in_transaction(input: dict[str, Any], context: Context) -> dict[str, Any]:
    if name := input.get("leaves"):
        Effect.objects.create(task_id=context.task_id, attempt=0)
        act, _ = IN_TRANSACTION[name]
        act(connections["default"])
        return {}
    return _write(context)


def _write(context: Context) -> dict[str, Any]:
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    Effect.objects.using("other").exists()
    return {
        "language": translation.get_language(),
        "zone": timezone.get_current_timezone_name(),
        "autocommit": connections["default"].autocommit,
    }


kind("test.leave.thread", **_OPTIONS)(_leave)
kind("test.leave.process", isolation="process", **_OPTIONS)(_leave)
kind("test.leave.transactional", transactional=True, **_OPTIONS)(_leave_in_transaction)
