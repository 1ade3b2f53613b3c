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


def test_the_overview_tells_what_waits_runs_and_failed(viewer, console, tasks):
    make_worker("gone:1", silent_for=60)
    seen = text(console(viewer).get(reverse("admin:index")))
    for words in (
        "Waiting, due 2",
        "Running 1",
        "Dead letters 1",
        "Workers alive 1 of 2 known",
        "1 completed",
        "1 failed, 50.0 %",
        "test.script ValueError 1",
    ):
        assert words in seen


def test_the_parts_are_refreshed_without_the_page(viewer, console, tasks):
    browser = console(viewer)
    whole = browser.get(reverse("admin:index")).content.decode()
    for part in ("admin:tasks_overview_now", "admin:tasks_overview_hour"):
        assert f'hx-get="{reverse(part)}"' in whole
        assert "<html" not in browser.get(reverse(part)).content.decode()


def test_the_last_hour_is_counted_by_minute():
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    for ago, status in ((0, "COMPLETED"), (5, "COMPLETED"), (5, "FAILED"), (61, "COMPLETED")):
        make_task(status, finished_at=minute - dt.timedelta(minutes=ago))
    make_task(Status.CANCELLED, finished_at=minute)
    hour = last_hour()
    assert len(hour.minutes) == 60
    seen = [(m.completed, m.failed) for m in hour.minutes if m.completed or m.failed]
    assert seen == [(1, 1), (1, 0)]
    assert minute <= hour.minutes[-1].start <= minute + dt.timedelta(minutes=1)
    assert [(group.kind, group.count) for group in hour.worst] == [("test.script", 1)]


def test_the_chart_stacks_the_failed_on_the_completed():
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
