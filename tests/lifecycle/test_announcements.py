"""Announcements: which submissions wake the workers."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import transaction

import tasks
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
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
