"""Figures of the database as a role without `pg_read_all_stats` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from django.db import connection
from prometheus_client import generate_latest

from tasks.metrics.database import database
from tasks.stats.database import database_figures, snapshot_holders
from tasks.worker.session import connection_parameters

REPORT = "nightly report"


@pytest.fixture
def as_plain_role(transactional_db: None) -> Iterator[None]:
    """Have Django's session read as a role to which the server hides all sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE plain")
        yield
        cursor.execute("RESET ROLE")


@pytest.fixture
def reports(as_plain_role: None) -> Iterator[None]:
    """Open three sessions of another role, one with a snapshot."""
    params = connection_parameters() | {"user": "other", "application_name": REPORT}
    with ExitStack() as stack:
        for _ in range(3):
            session = stack.enter_context(psycopg.connect(**params))
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        session.execute("SELECT 1")
        yield


def test_connections_of_other_roles_are_counted(reports: None) -> None:
    assert database_figures().connections >= 4


def test_connections_of_other_roles_are_exported(reports: None) -> None:
    (connections,) = (each for each in database() if each.name == "tasks_database_connections")
    assert [
        (sample.labels["state"], sample.value)
        for sample in connections.samples
        if sample.labels["purpose"] == REPORT
    ] == [("unknown", 3.0)]


def test_a_snapshot_of_another_role_is_reported_and_exported(reports: None) -> None:
    assert [each.holder for each in snapshot_holders() if each.name == REPORT] == [
        "session of another role"
    ]


def test_every_label_can_be_written(reports: None) -> None:
    class Database:
        def collect(self):
            return database()

    assert REPORT.encode() in generate_latest(Database())
