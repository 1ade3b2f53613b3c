"""Database connections of requests: replaced when dead, with prepared statements."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from rest_framework.test import APIClient

from tasks.models import Status, Task
from tasks.worker.session import connection_parameters
from tests.factories import make_task
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PREPARED = "SELECT statement FROM pg_prepared_statements"
LAST_QUERY = "SELECT query FROM pg_stat_activity WHERE pid = %s"


@pytest.fixture
def onlooker() -> Iterator[psycopg.Connection]:
    with psycopg.connect(**connection_parameters(), autocommit=True) as other:
        yield other


@pytest.fixture
def task() -> Task:
    return make_task(Status.COMPLETED)


def begin_request() -> None:
    """Do what Django does with a persistent connection before each request."""
    connection.close_if_unusable_or_obsolete()


def server_process() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


def test_a_connection_that_ended_between_requests_is_replaced(
    api: APIClient, task: Task, onlooker: psycopg.Connection
) -> None:
    pid = server_process()
    onlooker.execute("SELECT pg_terminate_backend(%s)", (pid,))
    wait_until(
        lambda: not onlooker.execute(LAST_QUERY, (pid,)).fetchone(), what="the session is gone"
    )
    begin_request()
    assert api.get(f"/api/v1/tasks/{task.id}").status_code == 200
    assert server_process() != pid


def test_a_live_connection_is_checked_without_a_query(
    api: APIClient, task: Task, onlooker: psycopg.Connection
) -> None:
    pid = server_process()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'the last before the request'")
    begin_request()
    with connection.cursor():
        pass
    assert onlooker.execute(LAST_QUERY, (pid,)).fetchone() == (
        "SELECT 'the last before the request'",
    )
    assert api.get(f"/api/v1/tasks/{task.id}").status_code == 200
    assert server_process() == pid


def prepared_after_two_rounds(api: APIClient) -> list[str]:
    for _ in range(2):
        created = api.post("/api/v1/tasks/", {"kind": "test.script"}, format="json").json()
        api.get(created["links"]["self"])
        api.get("/api/v1/tasks/")
    with connection.cursor() as cursor:
        cursor.execute(PREPARED)
        return [statement for (statement,) in cursor.fetchall()]


def test_only_submitting_and_reading_one_task_stay_prepared(api: APIClient) -> None:
    connection.close()
    insert, select = sorted(prepared_after_two_rounds(api), key=len, reverse=True)
    assert "INSERT INTO tasks_task" in insert
    assert select.startswith("SELECT")


def test_no_statement_is_prepared_behind_a_pooler(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    assert prepared_after_two_rounds(api) == []
