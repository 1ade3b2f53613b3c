"""Endings that the database refuses: each costs only itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

import tasks
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Attempt, Status, Task
from tests.waiting import wait_until
from tests.workers import is_idle

pytestmark = pytest.mark.django_db(transaction=True)

NEIGHBOURS = 60
# Refuses to end tasks by what they return: {"echo": {"refuse": CODE, "times": N}}; the sequence
# counts, because it does not roll back.
TRIGGER = """
CREATE SEQUENCE test_refusals;
CREATE FUNCTION test_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.input #> '{value,always}' IS NOT NULL AND new.status IN ('COMPLETED', 'FAILED')
        OR nextval('test_refusals') <= (new.result #>> '{echo,times}')::bigint
    THEN
        RAISE EXCEPTION USING
            ERRCODE = new.input #>> '{value,refuse}', MESSAGE = 'refused by a test';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER test_refuse BEFORE UPDATE ON tasks_task
FOR EACH ROW WHEN (new.input -> 'value' ? 'refuse' AND old.status = 'PROCESSING')
EXECUTE FUNCTION test_refuse();
"""
WITHOUT_TRIGGER = """
DROP TRIGGER IF EXISTS test_refuse ON tasks_task;
DROP FUNCTION IF EXISTS test_refuse;
DROP SEQUENCE IF EXISTS test_refusals;
"""


@pytest.fixture
def refusals(transactional_db: None) -> Iterator[None]:
    """Make the database refuse what tasks ask it to refuse."""
    _run(TRIGGER)
    yield
    _run(WITHOUT_TRIGGER)


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _submit_with_neighbours(*codes: str, times: int) -> list[Task]:
    refused = [
        tasks.submit("test.script", {"value": {"refuse": code, "times": times}}) for code in codes
    ]
    lifecycle.submit_many([prepare("test.script", {"value": n}) for n in range(NEIGHBOURS)])
    return refused


def _neighbours_are_untouched() -> bool:
    neighbours = Task.objects.filter(batch__isnull=False)
    assert not Attempt.objects.filter(task__in=neighbours).exists()
    return set(neighbours.values_list("status", "attempt", "losses")) == {(Status.COMPLETED, 1, 0)}


@pytest.mark.usefixtures("refusals")
def test_an_ending_that_is_refused_for_good_fails_its_task_only(worker):
    command = worker()
    pids = command.pids()
    # Too large; invalid value; no such table; a privilege is missing; not supported.
    codes = ["54000", "22P05", "42P01", "42501", "0A000"]
    for task in _submit_with_neighbours(*codes, times=1_000_000):
        wait_until(lambda: command.must_run() and is_idle(), what="all have ended")
        task.refresh_from_db()
        assert (task.status, task.attempt) == (Status.FAILED, 1)
        assert task.error["detail"].startswith("The result cannot be stored: refused by a test")
    assert _neighbours_are_untouched()
    assert command.pids() == pids


@pytest.mark.usefixtures("refusals")
def test_an_ending_that_is_refused_for_a_while_is_stored_later(worker):
    command = worker()
    # Out of memory; statement time-out; deadlock; lock not available; an internal error.
    codes = ["53200", "57014", "40P01", "55P03", "XX000"]
    for task in _submit_with_neighbours(*codes, times=25):
        wait_until(lambda: command.must_run() and is_idle(), what="all have ended")
        task.refresh_from_db()
        assert (task.status, task.attempt) == (Status.COMPLETED, 1)
    assert _neighbours_are_untouched()


@pytest.mark.usefixtures("refusals")
def test_neighbours_end_while_an_ending_is_refused_again_and_again(worker):
    command = worker()
    (refused,) = _submit_with_neighbours("57014", times=1_000_000)
    wait_until(lambda: command.must_run() and _neighbours_have_ended(), what="neighbours ended")
    refused.refresh_from_db()
    assert refused.status == Status.PROCESSING
    _run(WITHOUT_TRIGGER)
    wait_until(is_idle, what="all have ended")
    assert _neighbours_are_untouched()


def _neighbours_have_ended() -> bool:
    return not Task.objects.filter(batch__isnull=False, finished_at=None).exists()


@pytest.mark.usefixtures("refusals")
def test_a_task_that_nothing_can_end_costs_its_neighbours_no_attempt(worker, tmp_path):
    command = worker(concurrency=8)
    file = tmp_path / "go"
    running = [tasks.submit("test.plain_effect", {"file": str(file)}) for _ in range(4)]
    wait_until(lambda: _started(running), what="neighbours run")
    # Two: the second must not keep the claims of the neighbours either.
    refused, _ = [
        tasks.submit("test.script", {"value": {"refuse": "54000", "always": True}})
        for _ in range(2)
    ]
    wait_until(lambda: _losses(refused) == 1, within=60, what="its loss is counted")
    _run(WITHOUT_TRIGGER)
    file.touch()
    wait_until(lambda: command.must_run() and is_idle(), within=60, what="all have ended")
    refused.refresh_from_db()
    assert refused.status == Status.COMPLETED
    for task in running:
        task.refresh_from_db()
        assert (task.status, task.attempt, task.losses) == (Status.COMPLETED, 1, 0)


def _started(running: list[Task]) -> bool:
    started = Task.objects.filter(pk__in=[task.pk for task in running], status=Status.PROCESSING)
    return started.count() == len(running)


def _losses(task: Task) -> int:
    return Task.objects.get(pk=task.pk).losses
