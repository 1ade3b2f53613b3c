from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from tasks.console.chart import bars
from tasks.models import Status
from tasks.stats.last_hour import Minute, last_hour
from tests.console.pages import text
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db


def test_the_overview_counts_pending_processing_and_failed_tasks_and_workers(
    viewer, console, tasks
):
    make_worker("gone:1", silent_for=60)
    page = text(console(viewer).get(reverse("admin:index")))
    for words in (
        "Pending, due 2",
        "Processing 1",
        "Dead letters 1",
        "Workers alive 1 of 2 registered",
        "1 completed",
        "1 failed, failure rate 50.0 %",
        "test.script ValueError 1",
    ):
        assert words in page


def test_each_live_part_is_refreshed_alone(viewer, console, tasks):
    browser = console(viewer)
    whole = browser.get(reverse("admin:index")).content.decode()
    for part in ("admin:tasks_overview_now", "admin:tasks_overview_hour"):
        assert f'hx-get="{reverse(part)}"' in whole
        assert "<html" not in browser.get(reverse(part)).content.decode()


def test_the_last_hour_has_counts_for_each_minute():
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    for ago, status in ((0, "COMPLETED"), (5, "COMPLETED"), (5, "FAILED"), (61, "COMPLETED")):
        make_task(status, finished_at=minute - dt.timedelta(minutes=ago))
    make_task(Status.CANCELLED, finished_at=minute)
    hour = last_hour()
    assert len(hour.minutes) == 60
    counts = [(m.completed, m.failed) for m in hour.minutes if m.completed or m.failed]
    assert counts == [(1, 1), (1, 0)]
    assert minute <= hour.minutes[-1].start <= minute + dt.timedelta(minutes=1)
    assert [(group.kind, group.count) for group in hour.worst] == [("test.script", 1)]


def test_the_chart_draws_failed_tasks_above_completed_ones():
    start = timezone.now().replace(second=0, microsecond=0)
    chart = bars(
        [
            Minute(start=start, completed=3, failed=1),
            Minute(start=start, completed=0, failed=0),
        ]
    )
    good, bad = chart.bars
    assert (good.y, good.height, good.fill) == ("25.00", "75.00", "good")
    assert (bad.y, bad.height, bad.fill) == ("0.00", "25.00", "bad")
    assert chart.most == 4
