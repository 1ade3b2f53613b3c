"""Databases of a test's own in the server of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from tasks.worker.session import connection_parameters
from tests.servers import drop_database


@contextmanager
def connected_to(name: str) -> Iterator[None]:
    """Connect Django to another database; connections of the one before are closed."""
    settings = connection.settings_dict
    before, settings["NAME"] = settings["NAME"], name
    connection.close()
    try:
        yield
    finally:
        connection.close()
        settings["NAME"] = before


@contextmanager
def database(name: str, *, template: str = "template1") -> Iterator[None]:
    """Make a database in the server of the tests, and drop it in the end."""
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with open_session("postgres") as session:
        session.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield
    finally:
        with open_session("postgres") as session:
            drop_database(session, name)


def open_session(name: str) -> psycopg.Connection[Any]:
    """Open an autocommit session in a database, as workers do."""
    return psycopg.connect(**{**connection_parameters(), "dbname": name}, autocommit=True)
