from __future__ import annotations

import datetime as dt
import uuid
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.template.loader import render_to_string
from django.utils import timezone

from analysis.maintenance import cleanup
from analysis.models import Conversation, Message, Platform, WebhookEvent
from analysis.reports import conversations, performance
from tasks import kinds, lifecycle, schedules
from tasks.kinds.context import Context
from tasks.kinds.exceptions import Cancel
from tasks.models import Schedule, Status, Task
from tests.factories import make_context, make_task

pytestmark = pytest.mark.django_db

defaults = import_module("analysis.migrations.0003_default_schedules")


def context_of(owner: User | None = None) -> Context:
    owner_id = owner.pk if owner else None
    return make_context(owner_id=owner_id)


def make_ended(status: Status, *, waited: float, ran: float, **fields: Any) -> Task:
    """Write a task that ended a minute ago; `waited` and `ran` are in seconds."""
    end = timezone.now() - dt.timedelta(minutes=1)
    start = end - dt.timedelta(seconds=ran)
    created = start - dt.timedelta(seconds=waited)
    return make_task(status, created_at=created, started_at=start, finished_at=end, **fields)


def say(
    role: str, *, days_ago: int = 0, response_ms: int | None = None, **fields: Any
) -> Conversation:
    """Write a message in a conversation of its own."""
    conversation = Conversation.objects.create(**fields)
    Message.objects.create(
        conversation=conversation,
        role=role,
        text="To be",
        task_id=uuid.uuid4(),
        response_ms=response_ms,
        created_at=timezone.now() - dt.timedelta(days=days_ago),
    )
    return conversation


def shown(kind: str, result: dict[str, Any]) -> str:
    """Return the result as the status page shows it."""
    return render_to_string(f"tasks/results/{kind}.html", {"result": result})


def test_the_performance_report_counts_and_measures_by_kind():
    for seconds in range(1, 101):
        make_ended(Status.COMPLETED, waited=seconds / 10, ran=seconds, kind="test.script")
    make_ended(Status.FAILED, waited=1, ran=3, kind="compute", attempt=4)
    make_ended(Status.CANCELLED, waited=1, ran=500, kind="compute")
    make_task(Status.COMPLETED, finished_at=timezone.now() - dt.timedelta(hours=30))
    report = performance.handle({}, context_of())
    script, compute = report["kinds"]
    assert (script["kind"], script["completed"], script["failure_rate"]) == ("test.script", 100, 0)
    assert script["run_ms"] == {"p50": 50_500, "p95": 95_050, "p99": 99_010}
    assert script["wait_ms"] == {"p50": 5_050, "p95": 9_505, "p99": 9_901}
    assert (compute["failed"], compute["cancelled"], compute["retried"]) == (1, 1, 1)
    assert compute["failure_rate"] == 1
    assert compute["run_ms"]["p99"] == 3_000
    total = report["total"]
    assert (total["kind"], total["completed"], total["failed"]) == (None, 100, 1)
    assert total["failure_rate"] == pytest.approx(1 / 101, abs=1e-4)
    assert sum(report["over_time"]["completed"]) == 100
    assert len(report["over_time"]["labels"]) == 25
    assert "test.script" in shown("analytics.performance", report)


def test_a_performance_report_without_tasks_has_empty_figures():
    report = performance.handle({"hours": 24 * 90}, context_of())
    assert (report["kinds"], report["total"]["run_ms"]) == ([], None)
    assert report["over_time"]["unit"] == "day"
    assert len(report["over_time"]["labels"]) == 91
    assert "No task ended" in shown("analytics.performance", report)


def test_the_conversations_report_counts_messages_and_times_by_day():
    for milliseconds in (100, 200, 300):
        say("assistant", response_ms=milliseconds)
    say("user", days_ago=1, platform=Platform.FACEBOOK)
    say("user", days_ago=30)
    report = conversations.handle({"days": 3}, context_of())
    assert report["total"] == {
        "conversations": 4,
        "messages": 4,
        "from_users": 1,
        "from_assistant": 3,
        "response_ms": {"mean": 200, "p50": 200, "p95": 290, "p99": 298},
    }
    assert [day["messages"] for day in report["days"]] == [0, 1, 3]
    assert [day["response_ms"] is None for day in report["days"]] == [True, True, False]
    assert [(row["platform"], row["messages"]) for row in report["platforms"]] == [
        ("api", 3), ("facebook", 1),
    ]  # fmt: skip
    assert "Facebook" in shown("analytics.conversations", report)


def test_a_conversations_report_without_messages_has_empty_figures():
    report = conversations.handle({}, context_of())
    assert report["total"]["messages"] == 0
    assert len(report["days"]) == 7
    assert shown("analytics.conversations", report)


def test_the_report_of_a_user_has_their_own_conversations_and_that_of_staff_has_all(
    user, stranger, viewer
):
    say("user", owner=user)
    say("user")
    counts = {
        name: conversations.handle({}, context_of(owner))["total"]["messages"]
        for name, owner in (("user", user), ("stranger", stranger), ("viewer", viewer), ("", None))
    }
    assert counts == {"user": 1, "stranger": 0, "viewer": 2, "": 2}
    deleted = context_of(stranger)
    stranger.delete()
    assert conversations.handle({}, deleted)["total"]["messages"] == 0


def test_the_clean_up_deletes_tasks_events_and_sessions_past_their_retention(settings, monkeypatch):
    monkeypatch.setattr("tasks.lifecycle.pruning.PRUNE_LIMIT", 2)
    monkeypatch.setattr(cleanup, "CHUNK", 1)
    old = timezone.now() - dt.timedelta(days=31)
    for _ in range(3):
        make_task(Status.COMPLETED, finished_at=old)
        WebhookEvent.objects.create(platform="generic", event_id=str(uuid.uuid4()), received_at=old)
    make_task(Status.FAILED, finished_at=old)
    make_task(Status.COMPLETED)
    WebhookEvent.objects.create(platform="generic", event_id="new")
    Session.objects.create(session_key="ended", expire_date=old)
    context = context_of()
    report = cleanup.handle({}, context)
    assert report == {
        "tasks_deleted": 3, "webhook_events_deleted": 3,
        "completed_kept_days": 30, "failed_kept_days": 90,
    }  # fmt: skip
    assert Task.objects.count() == 2
    assert WebhookEvent.objects.get().event_id == "new"
    assert not Session.objects.exists()
    assert context.take_report() == (95, "sessions")
    assert "Tasks deleted" in shown("maintenance.cleanup", report)


def test_the_clean_up_keeps_what_is_to_be_kept_without_limit(settings):
    settings.RETENTION_COMPLETED_DAYS, settings.RETENTION_FAILED_DAYS = 0, 1
    for status in (Status.COMPLETED, Status.FAILED):
        make_task(status, finished_at=timezone.now() - dt.timedelta(days=500))
    report = cleanup.handle({}, context_of())
    assert report == {
        "tasks_deleted": 1, "webhook_events_deleted": 0,
        "completed_kept_days": 0, "failed_kept_days": 1,
    }  # fmt: skip
    assert Task.objects.get().status == Status.COMPLETED
    text = " ".join(shown("maintenance.cleanup", report).split())
    assert "<dt>Completed tasks are kept for</dt><dd>ever</dd>" in text
    assert "<dt>Failed tasks are kept for</dt><dd>1 day</dd>" in text


def test_a_cancelled_clean_up_stops_after_its_batch(monkeypatch):
    monkeypatch.setattr("tasks.lifecycle.pruning.PRUNE_LIMIT", 1)
    for _ in range(3):
        make_task(Status.COMPLETED, finished_at=timezone.now() - dt.timedelta(days=31))
    context = context_of()
    batches = lifecycle.prune_batches()

    def cancelled_after_one():
        yield next(batches)
        context.cancelled = True
        yield next(batches)

    monkeypatch.setattr(lifecycle, "prune_batches", cancelled_after_one)
    with pytest.raises(Cancel):
        cleanup.handle({}, context)
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "input"),
    [
        ("analytics.performance", {"hours": 0}),
        ("analytics.conversations", {"days": 400}),
        ("maintenance.cleanup", {"days": 0}),
    ],
)
def test_inputs_out_of_bounds_are_refused(kind, input):
    assert not kinds.get(kind)._validator.is_valid(input)


def test_the_three_default_schedules_are_created_once_and_changes_to_them_stay():
    Schedule.objects.all().delete()
    editor = SimpleNamespace(connection=connection)
    defaults.make_schedules(apps, editor)
    created = {schedule.name: schedule for schedule in Schedule.objects.all()}
    assert {schedule.kind for schedule in created.values()} == {
        "analytics.performance", "analytics.conversations", "maintenance.cleanup",
    }  # fmt: skip
    for schedule in created.values():
        assert schedule.owner is None
        next_tick = schedule.cron_expression.next_tick(after=timezone.now())
        assert schedule.next_at == next_tick
        schedules.run_now(schedule)
    schedules.change(created["Daily clean-up"], cron="0 5 * * *")
    defaults.make_schedules(apps, editor)
    assert Schedule.objects.get(name="Daily clean-up").cron == "0 5 * * *"


def test_a_worker_runs_the_reports_and_the_clean_up(run_tasks):
    for kind in ("analytics.performance", "analytics.conversations", "maintenance.cleanup"):
        lifecycle.submit(kind, {})
    run_tasks()
    assert set(Task.objects.values_list("status", "queue", "priority")) == {
        (Status.COMPLETED, "analytics", 0)
    }
