from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tasks import kinds, lifecycle
from tasks.lanes import retry_share
from tasks.models import Status
from tests.api.described import described
from tests.factories import make_task

pytestmark = pytest.mark.django_db

PATH = "/api/v1/queues/status"


def test_an_idle_system_shows_its_queues_with_zero_counts(api: APIClient) -> None:
    shown = described(api.get(PATH))
    assert set(shown) == {"queues", "states", "retry_ratio", "by_queue", "timestamp"}
    assert shown["queues"] == {"primary": 0, "retry": 0, "scheduled": 0, "dlq": 0}
    assert shown["states"] == dict.fromkeys(Status.values, 0)
    assert shown["retry_ratio"] == 0.3
    idle = {
        "pending": 0, "processing": 0, "blocked": 0, "oldest_age_s": None, "paused": False
    }  # fmt: skip
    queues = {kind.queue for kind in kinds.all_kinds().values()}
    assert shown["by_queue"] == dict.fromkeys(queues, idle)
    assert api.get(f"{PATH}/").status_code == 200


def test_tasks_are_counted_by_lane_status_and_queue(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    minute = dt.timedelta(minutes=1)
    make_task(created_at=now - minute)
    make_task(attempt=1, scheduled_at=now - minute / 2, created_at=now - minute)
    make_task(scheduled_at=now + minute, queue="slow", created_at=now - minute)
    make_task(Status.PROCESSING, queue="slow")
    make_task(Status.COMPLETED)
    make_task(Status.FAILED)
    make_task(Status.CANCELLED)
    lifecycle.pause_queue("slow")
    with django_assert_num_queries(7):
        shown = described(api.get(PATH))
    assert shown["queues"] == {"primary": 1, "retry": 1, "scheduled": 1, "dlq": 1}
    assert shown["states"] == dict.fromkeys(Status.values, 1) | {Status.PENDING: 3}
    default, slow = shown["by_queue"]["default"], shown["by_queue"]["slow"]
    assert (default["pending"], default["processing"], default["paused"]) == (2, 0, False)
    assert 60 <= default["oldest_age_s"] < 90
    assert slow == {
        "pending": 1, "processing": 1, "blocked": 0, "oldest_age_s": None, "paused": True
    }  # fmt: skip


def test_the_age_of_a_waiting_task_counts_from_its_due_time(api: APIClient) -> None:
    now = timezone.now()
    make_task(created_at=now - dt.timedelta(days=1), scheduled_at=now - dt.timedelta(seconds=9))
    assert 9 <= described(api.get(PATH))["by_queue"]["default"]["oldest_age_s"] < 30


@pytest.mark.parametrize(
    ("primary", "retry", "share"),
    [
        (0, 0, 0.3),
        (5, 0, 0.3),
        (5, 5, 0.3),
        (100, 1, 0.3),
        (5, 10, 0.15),
        (1, 300, 0.001),
        (0, 1, 1.0),
    ],
)
def test_the_share_of_retries_shrinks_as_their_lane_outgrows_the_primary_one(
    primary: int, retry: int, share: float
) -> None:
    assert retry_share(primary=primary, retry=retry) == share
