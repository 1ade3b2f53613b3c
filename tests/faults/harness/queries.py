"""Queries of the harness: one session that reconnects after database outages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg

PATIENCE = 60.0


class Queries:
    """Autocommit statements, repeated after an outage; not thread-safe."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def rows(
        self, statement: LiteralString, params: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a statement that may be run twice."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self._rows(statement, params)
            except psycopg.OperationalError:
                self.close()
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def value(self, statement: LiteralString, params: Mapping[str, Any] | None = None) -> Any:
        """Return the one value of a statement."""
        ((value,),) = self.rows(statement, params)
        return value

    def close(self) -> None:
        """Close the session; the next statement opens another."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()

    def _rows(
        self, statement: LiteralString, params: Mapping[str, Any] | None
    ) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=3, application_name="faults"
            )
        cursor = self._connection.execute(statement, params)
        return cursor.fetchall() if cursor.description else []
