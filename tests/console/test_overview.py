from __future__ import annotations

import datetime as dt
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from tasks.console.chart import bars
from tasks.invariants import FIRST, INVARIANTS, Finding, Report, store_report
from tasks.models import Status, Worker
from tasks.stats.last_hour import Minute, last_hour
from tests.console.pages import page as task_page
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


def test_the_overview_shows_when_the_invariants_held(viewer, console):
    overview = reverse("admin:tasks_overview_now")
    assert "have not been checked yet" in text(console(viewer).get(overview))
    report = Report(at=timezone.now(), seconds=0.3, next_after=FIRST)
    store_report(report)
    page = text(console(viewer).get(overview))
    held = rf"All {len(INVARIANTS)} invariants held \d s ago \(read in 300 ms\): nothing is lost\."
    assert re.search(held, page)


def test_the_overview_begins_with_the_invariants_that_do_not_hold(viewer, console, tasks):
    by_name = {invariant.name: invariant for invariant in INVARIANTS}
    task = tasks["COMPLETED"]
    findings = [
        Finding(invariant=by_name["result_differs"], count=7, examples=[str(task.id)]),
        Finding(invariant=by_name["job_without_task"], count=1, examples=["12345"]),
    ]
    store_report(
        Report(
            at=timezone.now(),
            seconds=0.3,
            findings=findings,
            unchecked={"batch_too_large": "canceling statement <due> to statement timeout"},
            next_after=FIRST,
        )
    )
    response = console(viewer).get(reverse("admin:tasks_overview_now"))
    page = text(response)
    assert page.startswith(
        "Invariants that do not hold Tasks with a result or an error that does not fit their"
        f" status: 7 . {by_name['result_differs'].meaning} {task.id} and others What to do: Retry"
    )
    assert "Jobs that no task names: 1" in page
    assert "batch_too_large could not be checked: canceling statement &lt;due&gt;" in page
    assert f'href="{task_page(task)}"' in response.content.decode()
    assert "12345</a>" not in response.content.decode()
    assert "nothing is lost" not in page


def test_the_overview_shows_the_findings_of_health_that_need_attention(viewer, console):
    make_worker()
    assert "Health" not in text(console(viewer).get(reverse("admin:index")))
    make_task(queue="reports", created_at=timezone.now() - dt.timedelta(minutes=2))
    Worker.objects.update(queues=["other"])
    page = text(console(viewer).get(reverse("admin:index")))
    assert "Health Failed Queues 1 task is due; 1 queue has had no worker for 60 s. reports" in page


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
