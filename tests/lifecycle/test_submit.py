from __future__ import annotations

import datetime as dt
from contextlib import closing

import pytest
from django.db import connection, transaction
from django.utils import timezone

import tasks
from tasks import lifecycle
from tasks.errors import InvalidInput, UnknownKind
from tasks.lifecycle.preparation import prepare
from tasks.models import Batch, Lane, Status, Task
from tests.queue_rows import job_of, jobs

pytestmark = pytest.mark.django_db


def test_a_submitted_task_has_a_row_and_a_job():
    task = tasks.submit("test.script", {"value": 1}, priority=7, metadata={"a": "b"})
    stored = Task.objects.get()
    assert stored.id == task.id
    assert (stored.status, stored.lane, stored.attempt) == (Status.PENDING, Lane.PRIMARY, 0)
    assert (stored.input, stored.metadata) == ({"value": 1}, {"a": "b"})
    job = job_of(stored)
    assert (job.queue, job.priority, job.status) == ("default", 7, "todo")
    assert job.task_id == str(task.id)


@pytest.mark.django_db(transaction=True)
def test_a_submit_that_rolls_back_leaves_neither_task_nor_job():
    with transaction.atomic():
        tasks.submit("test.script")
        transaction.set_rollback(True)
    assert not Task.objects.exists()
    assert jobs() == []


@pytest.mark.django_db(transaction=True)
def test_task_and_job_are_visible_only_after_the_commit():
    with transaction.atomic():
        tasks.submit("test.script")
        with closing(connection.copy()) as other, other.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT count(*) FROM tasks_task)"
                " + (SELECT count(*) FROM procrastinate_jobs)"
            )
            assert cursor.fetchone() == (0,)
    assert Task.objects.count() == len(jobs()) == 1


def test_a_delayed_task_waits_in_the_scheduled_lane():
    task = tasks.submit("test.script", delay=60)
    due = Task.objects.get().scheduled_at
    assert due == job_of(task).scheduled_at
    assert abs(due - timezone.now() - dt.timedelta(seconds=60)) < dt.timedelta(seconds=5)
    assert Task.objects.get().lane == Lane.SCHEDULED


def test_defaults_come_from_the_kind():
    tasks.submit("test.effect")
    assert Task.objects.get().max_attempts == 51


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownKind):
        tasks.submit("no.such.kind")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"delay": -1}, "delay"),
        ({"delay": 1e12}, "delay"),
        ({"delay": 1, "scheduled_at": timezone.now()}, "delay"),
        ({"scheduled_at": dt.datetime(2030, 1, 1)}, "scheduled_at"),
        ({"priority": 2**31}, "priority"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"queue": "no spaces"}, "queue"),
    ],
)
def test_options_out_of_bounds_are_refused_by_name(options, field):
    with pytest.raises(InvalidInput) as refused:
        tasks.submit("test.script", **options)
    assert [error.field for error in refused.value.errors] == [field]
    assert not Task.objects.exists()


def test_many_submissions_become_one_batch_in_order():
    submissions = [prepare("test.script", {"value": n}) for n in range(50)]
    batch = lifecycle.submit_many(submissions)
    assert batch.total == 50
    assert batch.task_ids() == [submission.id for submission in submissions]
    by_id = {task.id: task for task in Task.objects.all()}
    assert [by_id[submission.id].input["value"] for submission in submissions] == list(range(50))
    assert all(job_of(task).task_id == str(task.id) for task in by_id.values())


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_all_or_nothing():
    submission = prepare("test.script")
    with pytest.raises(Exception, match="duplicate key"):
        lifecycle.submit_many([submission, submission])
    assert not Task.objects.exists()
    assert not Batch.objects.exists()
    assert jobs() == []


def test_an_option_that_does_not_exist_is_a_type_error():
    with pytest.raises(TypeError, match=r"Unknown submission option: id, prioritty\."):
        tasks.submit("test.script", prioritty=3, id=None)  # type: ignore[call-arg]


def test_the_fingerprint_of_a_request_stays_what_earlier_versions_stored():
    submission = prepare(
        "test.script",
        {"b": [1, 2.5, None], "a": "é"},
        priority=3,
        delay=1.5,
        metadata={"z": 1, "y": {"x": True}},
        idempotency_key="key-1",
    )
    assert submission.fingerprint() == (
        "be2d24a25e6df2a9b9721576470bbddcfee11645693709a6499692346be10d88"
    )
