"""Sessions of handlers: what a handler sets does not reach the tasks that follow in its slot."""

from __future__ import annotations

import uuid

import pytest
from django.db import DataError, connection, connections, transaction
from psycopg.sql import SQL

import tasks
from tasks.models import Attempt, Status, Task
from tasks.worker.handler_session import renew_changed_sessions, watch_sessions
from tasks.worker.statements import ends_transaction
from tests.script.models import Effect
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
    SQL("SET statement_timeout = {}").format(1),
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
    renew_changed_sessions(uuid.uuid4())
    assert (connection.connection is before) == (statement in PASSING)


def _rolls_back():
    with transaction.atomic(), transaction.atomic():
        Effect.objects.create(task_id=uuid.uuid4(), attempt=1)
        transaction.set_rollback(True)


def _causes_an_error():
    with pytest.raises(DataError), transaction.atomic():
        Effect.objects.create(task_id=uuid.uuid4(), attempt=2**40)


def _reads_by_a_server_side_cursor():
    list(Effect.objects.all().iterator())


def _commits_by_hand():
    connection.set_autocommit(False)
    Effect.objects.create(task_id=uuid.uuid4(), attempt=1)
    connection.commit()
    connection.set_autocommit(True)


def _reads_cached_properties():
    assert connection.timezone_name == "UTC"
    assert connection.data_types
    transaction.on_commit(_rolls_back)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "work",
    [
        _rolls_back, _causes_an_error, _reads_by_a_server_side_cursor, _commits_by_hand,
        _reads_cached_properties,
    ],
)  # fmt: skip
def test_ordinary_work_keeps_the_connection(work):
    connections["default"].close()
    watch_sessions()
    connection.ensure_connection()
    before = connection.connection
    work()
    renew_changed_sessions(uuid.uuid4())
    assert connection.connection is before


@pytest.mark.parametrize(
    ("statement", "is_ending"),
    [
        ("commit", True),
        (" ROLLBACK WORK;", True),
        ("END TRANSACTION", True),
        ("abort", True),
        ("rollback and chain", True),
        ("PREPARE TRANSACTION 'x'", True),
        ("ROLLBACK TO SAVEPOINT a", False),
        ("rollback transaction to a", False),
        ("RELEASE SAVEPOINT a", False),
        ("DO $$ BEGIN PERFORM 1; END $$", False),
        ("SELECT 'commit'", False),
        ("PREPARE something AS SELECT 1", False),
    ],
)
def test_statements_that_end_a_transaction(statement, is_ending):
    assert ends_transaction(statement) == is_ending


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
