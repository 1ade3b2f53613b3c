"""Database backend: Django's own for PostgreSQL, with two round trips less in a request."""

from __future__ import annotations

import datetime as dt
import select
from functools import lru_cache
from typing import Any, Self, cast

import psycopg
from django.db import connections
from django.db.backends.postgresql import base, operations, psycopg_any
from django.db.backends.utils import CursorWrapper
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap
from psycopg.types.datetime import DateLoader, TimestampLoader

from tasks.postgres.requirements import startup_options
from tasks.postgres.slow import watch


class PreparedCursor(psycopg.Cursor[Any]):
    """A cursor that prepares each statement on its connection; for few, short statements."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Run a statement, preparing it unless the connection is to a pooler."""
        # If always on, psycopg would also keep Django's statements, with their values.
        self.connection.prepare_threshold = 0
        try:
            return super().execute(query, params, **options)
        finally:
            self.connection.prepare_threshold = None


class DatabaseOperations(operations.DatabaseOperations):
    """Django's own, for cursors that do not keep the text of what they ran."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        """Return a statement with its parameters, for DEBUG and tests."""
        statement: str | None = super().last_executed_query(cursor, sql, params)
        return statement or str(self.compose_sql(sql, params))


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that notices without a query that the server has ended it."""

    ops_class = DatabaseOperations

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.execute_wrappers.append(watch)

    @property
    def is_pooled(self) -> bool:
        """Return Django's setting for a pooler in transaction mode.

        No statement stays prepared there, and settings of a session are refused or shared.
        """
        return bool(self.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"))

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's own, with our session settings and a loader for every stored time.

        The settings are sent with the request for the connection and cost no query.
        """
        params: dict[str, Any] = super().get_connection_params()
        if not self.is_pooled:
            params["options"] = startup_options(params)
        return {**params, "context": _adapters(self.timezone)}

    def prepared_cursor(self) -> CursorWrapper:
        """Return a cursor for a statement that is run in many requests."""
        self.close_if_health_check_failed()
        self.ensure_connection()
        cursor = psycopg.Cursor if self.is_pooled else PreparedCursor
        with self.wrap_database_errors:
            wrapped: CursorWrapper = self._prepare_cursor(cursor(self.connection))  # type: ignore[attr-defined]
            return wrapped

    def close_if_health_check_failed(self) -> None:
        """Drop a connection that the server, or what lies between, has ended.

        The server sends data without a query when it ends a connection, and hardly ever
        otherwise: only a connection with such data is checked by Django's query.
        """
        if not (
            self.connection is None or self.connection.closed or _has_unread_data(self.connection)
        ):
            self.health_check_done = True
        super().close_if_health_check_failed()


class NearestTime:
    """A loader that returns the nearest time that Python has for infinity and far years.

    A row with such a time can be shown and deleted like any other.
    """

    timezone: dt.tzinfo | None = None
    first: Any = dt.datetime.min
    last: Any = dt.datetime.max

    def load(self, data: Buffer) -> Any:
        """Return the time, or the nearest."""
        try:
            return super().load(data)  # type: ignore[misc]
        except psycopg.DataError:
            is_early = bytes(data) == b"-infinity" or bytes(data).endswith(b"BC")
            nearest = self.first if is_early else self.last
            return nearest.replace(tzinfo=self.timezone) if self.timezone else nearest


class NearestTimestamp(NearestTime, TimestampLoader):
    """Loads a timestamp without a time zone, as Django's truncations return."""


class NearestDate(NearestTime, DateLoader):
    """Loads a date."""

    first, last = dt.date.min, dt.date.max


@lru_cache
def _adapters(timezone: dt.tzinfo | None) -> AdaptersMap:
    adapters = AdaptersMap(psycopg_any.get_adapters_template(True, timezone))
    bases = (NearestTime, psycopg_any.BaseTzLoader)
    adapters.register_loader(
        "timestamptz", type("NearestTimestamptz", bases, {"timezone": timezone})
    )
    adapters.register_loader("timestamp", NearestTimestamp)
    adapters.register_loader("date", NearestDate)
    return adapters


def prepared_cursor() -> CursorWrapper:
    """Return a cursor of this thread's connection for a statement that is run in many requests."""
    return cast(DatabaseWrapper, connections["default"]).prepared_cursor()


def _has_unread_data(connection: psycopg.Connection[Any]) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
