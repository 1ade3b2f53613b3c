"""Announcements: which submissions wake the workers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import transaction

import tasks
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.worker.notices import JobsInserted, read
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listener() -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url(), autocommit=True) as connection:
        connection.execute('LISTEN "procrastinate_any_queue_v1"')
        yield connection


def notices(listener: psycopg.Connection) -> int:
    """Return how many notices came since the last look."""
    listener.execute("SELECT 1")
    return len(list(listener.notifies(timeout=0)))


def test_a_task_is_announced_unless_one_of_its_kind_waits_before_it_in_its_lane(listener):
    tasks.submit("test.script")
    assert notices(listener) == 1
    tasks.submit("test.script")
    assert notices(listener) == 0
    tasks.submit("test.pause", {"seconds": 0})
    assert notices(listener) == 1
    tasks.submit("test.script", queue="another")
    assert notices(listener) == 1


def test_a_task_that_is_committed_later_than_it_was_written_is_announced(listener):
    tasks.submit("test.script")
    with transaction.atomic():
        tasks.submit("test.script")
    lifecycle.submit_many([prepare("test.script")])
    assert notices(listener) == 3


def test_a_task_is_announced_when_its_time_comes_within_a_second_and_not_when_later(listener):
    tasks.submit("test.script", delay=60)
    assert notices(listener) == 0
    tasks.submit("test.script", delay=0.5)
    tasks.submit("test.script", delay=0.5)
    assert notices(listener) == 2


def test_an_announcement_says_which_queues_to_look_at_and_whether_to_stage(listener):
    lifecycle.submit_many([prepare("test.script", queue=queue) for queue in ("b", "a", "b")])
    tasks.submit("test.script", queue="soon", delay=0.5)
    assert announced(listener) == [
        JobsInserted(frozenset({"a", "b"}), is_scheduled=False),
        JobsInserted(frozenset({"soon"}), is_scheduled=True),
    ]


def test_an_announcement_of_very_many_queues_names_none(listener):
    lifecycle.submit_many([prepare("test.script", queue=f"{'q' * 30}{n}") for n in range(300)])
    assert announced(listener) == [JobsInserted(None, is_scheduled=False)]


def test_a_resumed_queue_is_announced_when_that_is_committed(listener):
    with transaction.atomic():
        lifecycle.resume_queue("a")
        assert notices(listener) == 0
    assert announced(listener) == [
        JobsInserted(frozenset({"a"}), is_scheduled=False),
        # Its tasks under limits may get permits again.
        JobsInserted(frozenset(), is_scheduled=True),
    ]


@pytest.mark.parametrize(
    ("payload", "queues"),
    [
        ("{}", None),
        ("[]", None),
        ("no JSON", None),
        ('{"queues": ["a"], "scheduled": true}', {"a"}),
    ],
)
def test_an_announcement_of_another_version_is_for_every_worker(payload, queues):
    jobs = read("procrastinate_any_queue_v1", payload)
    assert jobs == JobsInserted(queues and frozenset(queues), is_scheduled=True)
    assert jobs.concerns(None)
    assert jobs.concerns(["a", "b"])
    assert jobs.concerns(["b"]) == (queues is None)


def test_an_announcement_of_permits_concerns_no_worker_but_is_staged():
    permits = JobsInserted(frozenset(), is_scheduled=True)
    assert not permits.concerns(None)
    assert not permits.concerns(["a"])


def announced(listener: psycopg.Connection) -> list[object]:
    """Return what came since the last look, as a worker reads it."""
    listener.execute("SELECT 1")
    return [read(notify.channel, notify.payload) for notify in listener.notifies(timeout=0)]
