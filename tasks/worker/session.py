"""Session: a database connection that is opened again after the database was away."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable
from typing import Any, LiteralString, TypeVar, cast

import orjson
import psycopg
from django.conf import settings
from django.db import connections
from psycopg.types.json import set_json_loads

from tasks.postgres.base import DatabaseWrapper
from tasks.postgres.failures import is_outage, is_outage_or_may_pass
from tasks.postgres.planner import PLANNER
from tasks.postgres.requirements import as_options
from tasks.postgres.slow import watch

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_MOST_DIGITS = 400
_LONGEST_PAUSE = 2.0

Answer = TypeVar("Answer")


def can_listen() -> bool:
    """Return whether notifications arrive: not through a pooler."""
    return not _database(direct=True).is_pooled


def connection_parameters() -> dict[str, Any]:
    """Return what psycopg needs to reach Django's default database."""
    return _parameters(_database(direct=False))


def worker_parameters(purpose: str, *, direct: bool = False) -> dict[str, Any]:
    """Return what psycopg needs for a connection of the worker's own statements.

    `direct` is for what a pooler does not pass on.
    """
    database = _database(direct=direct)
    params = {**_parameters(database), "application_name": f"worker {purpose}"}
    if not database.is_pooled:
        params["options"] = f"{params['options']} {as_options(PLANNER)}"
    return params


def _database(*, direct: bool) -> DatabaseWrapper:
    database = cast(DatabaseWrapper, connections["default"])
    if direct and settings.DIRECT_DATABASE:
        return DatabaseWrapper({**database.settings_dict, **settings.DIRECT_DATABASE})
    return database


def _parameters(database: DatabaseWrapper) -> dict[str, Any]:
    params = dict(database.get_connection_params())
    for django_only in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(django_only, None)
    if database.is_pooled:
        params["prepare_threshold"] = None
    return params


def _loads(document: bytes | str) -> Any:
    """Return the value of a JSON document, or its text if no Python value can be made of it.

    PostgreSQL stores numbers of any length and deeper levels. The handler gets what can be read and
    fails its own attempt; the claim that returned the row must not.
    """
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(document, parse_int=_integer)
    except (ValueError, RecursionError):
        return document if isinstance(document, str) else bytes(document).decode()


def _integer(literal: str) -> int | float:
    # Python reads no integer of more than 4,300 digits.
    return int(literal) if len(literal) <= _MOST_DIGITS else float(literal)


class Session:
    """One autocommit connection, opened when needed and again whenever it breaks.

    Not for concurrent use: each thread has its own.
    """

    def __init__(self, purpose: str, *, direct: bool = False) -> None:
        self.purpose = purpose
        self._direct = direct
        self._connection: psycopg.Connection[Any] | None = None

    def rows(self, statement: LiteralString, params: dict[str, Any]) -> list[Any]:
        """Run one statement once; raise psycopg.Error, dropping a broken connection."""

        def run(connection: psycopg.Connection[Any]) -> list[Any]:
            cursor = watch(connection.execute, statement, params, prepare=True)
            return cursor.fetchall() if cursor.description else []

        return self.run(run)

    def run(self, work: Callable[[psycopg.Connection[Any]], Answer]) -> Answer:
        """Run work on the connection; raise psycopg.Error, dropping a broken connection."""
        try:
            return work(self._open())
        except psycopg.Error as error:
            if is_outage(error):
                self.close()
            raise

    def run_until_answered(
        self,
        work: Callable[[psycopg.Connection[Any]], Answer],
        *,
        is_passing: Callable[[psycopg.Error], bool] = is_outage_or_may_pass,
    ) -> Answer:
        """Run work until the database has answered; only for work that may be run twice.

        Raises what is not `is_passing`: no other try would help, or the caller tries again itself.
        """
        pauses = Pauses()
        while True:
            try:
                return self.run(work)
            except psycopg.Error as error:
                if not is_passing(error):
                    raise
                log.warning(
                    "the database cannot be reached; trying again",
                    extra={"purpose": self.purpose, "error": str(error).strip()},
                )
            time.sleep(pauses.next())

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                **worker_parameters(self.purpose, direct=self._direct), autocommit=True
            )
            set_json_loads(_loads, self._connection)
        return self._connection


class Pauses:
    """The seconds between tries, with jitter, so that workers do not reconnect all at once."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> float:
        """Return the next pause, twice as long as the one before."""
        longest: float = min(_FIRST_PAUSE * 2.0**self.count, _LONGEST_PAUSE)
        self.count += 1
        return longest * (0.5 + random.random() / 2)  # noqa: S311
