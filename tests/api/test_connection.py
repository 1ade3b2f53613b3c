"""The connection between a request and the database: found dead in time, its statements kept."""

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
ASKED_LAST = "SELECT query FROM pg_stat_activity WHERE pid = %s"


@pytest.fixture
def onlooker() -> Iterator[psycopg.Connection]:
    with psycopg.connect(**connection_parameters(), autocommit=True) as other:
        yield other


@pytest.fixture
def task() -> Task:
    return make_task(Status.COMPLETED)


def begin_request() -> None:
    """Do what Django does before each request with a connection that it keeps."""
    connection.close_if_unusable_or_obsolete()


def server_process() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.backend_pid)


def test_a_session_that_was_ended_between_requests_costs_no_request(
    api: APIClient, task: Task, onlooker: psycopg.Connection
) -> None:
    ended = server_process()
    onlooker.execute("SELECT pg_terminate_backend(%s)", (ended,))
    wait_until(
        lambda: not onlooker.execute(ASKED_LAST, (ended,)).fetchone(), what="the session is gone"
    )
    begin_request()
    assert api.get(f"/api/v1/tasks/{task.id}").status_code == 200
    assert server_process() != ended


def test_a_session_that_lives_is_not_asked_whether_it_does(
    api: APIClient, task: Task, onlooker: psycopg.Connection
) -> None:
    alive = server_process()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'the last before the request'")
    begin_request()
    with connection.cursor():
        pass
    assert onlooker.execute(ASKED_LAST, (alive,)).fetchone() == (
        "SELECT 'the last before the request'",
    )
    assert api.get(f"/api/v1/tasks/{task.id}").status_code == 200
    assert server_process() == alive


def prepared_after_two_rounds(api: APIClient) -> list[str]:
    for _ in range(2):
        created = api.post("/api/v1/tasks/", {"kind": "test.script"}, format="json").json()
        api.get(created["links"]["self"])
        api.get("/api/v1/tasks/")
    with connection.cursor() as cursor:
        cursor.execute(PREPARED)
        return [statement for (statement,) in cursor.fetchall()]


def test_only_the_statements_of_many_requests_stay_prepared(api: APIClient) -> None:
    connection.close()
    submitting, looking = sorted(prepared_after_two_rounds(api), key=len, reverse=True)
    assert "INSERT INTO tasks_task" in submitting
    assert looking.startswith("SELECT")


def test_nothing_is_prepared_behind_a_pooler(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    assert prepared_after_two_rounds(api) == []
