"""Sessions of handlers: what a handler sets does not reach the tasks that follow in its slot."""

from __future__ import annotations

import pytest
from django.db import connection

import tasks
from tasks.models import Attempt, Status, Task
from tasks.worker.handler_session import close_changed_sessions, watch_sessions
from tests.waiting import wait_until
from tests.workers import is_idle

LASTING = [
    "SET search_path = nowhere",
    "set\n  statement_timeout = 1",
    "SELECT 1; SET default_transaction_read_only = on",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET ROLE NONE",
    "RESET ALL",
    "SELECT set_config('search_path', 'nowhere', false)",
    "SELECT pg_advisory_lock(1)",
    "CREATE TEMP TABLE tasks_task (id integer)",
    "LISTEN something",
    "PREPARE something AS SELECT 1",
]
PASSING = [
    "SET LOCAL statement_timeout = 1000",
    "SET CONSTRAINTS ALL DEFERRED",
    "UPDATE tasks_task SET priority = 1",
    "SELECT pg_advisory_xact_lock(1)",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", [*LASTING, *PASSING])
def test_a_connection_is_closed_after_a_lasting_change_only(statement):
    watch_sessions()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        before = connection.connection
    close_changed_sessions()
    assert (connection.connection is before) == (statement in PASSING)


@pytest.mark.django_db(transaction=True)
def test_tasks_that_follow_in_the_slot_find_the_session_as_it_was(worker):
    worker(concurrency=1)
    for statement in LASTING[:4]:
        tasks.submit("test.script", {"do": "change the session", "statement": statement})
    followers = [tasks.submit("test.effect") for _ in range(8)]
    wait_until(is_idle, what="all have ended")
    ids = [task.pk for task in followers]
    assert set(Task.objects.filter(pk__in=ids).values_list("status", "attempt")) == {
        (Status.COMPLETED, 1)
    }
    assert not Attempt.objects.filter(task__in=ids).exists()
