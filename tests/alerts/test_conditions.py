"""Each condition opens an alert with its sentence, and closes it when it is over."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from tasks import circuit_breaker, lifecycle, schedules
from tasks.models import Alert, AlertRule, Breaker, MetricSum, Schedule, Status, Task, Worker
from tests.alerts.conftest import evaluate
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db

Rule = Callable[..., AlertRule]


def opened() -> list[tuple[str, float, str]]:
    """Evaluate all rules; return subject, value and sentence of each open alert."""
    evaluate()
    alerts = Alert.objects.open().order_by("subject")
    return list(alerts.values_list("subject", "latest_value", "sentence"))


def ago(seconds: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(seconds=seconds)


def failed(count: int = 1, **fields: Any) -> None:
    for _ in range(count):
        make_task(Status.FAILED, **fields)


def test_failed_tasks_are_counted_by_kind_and_error(rule: Rule) -> None:
    rule("task_failed", threshold=2, window_seconds=300)
    failed(2)
    failed(1, kind="test.other")
    failed(1, finished_at=ago(400))
    assert opened() == [
        (
            "test.script: ValueError",
            2,
            "2 tasks of the kind test.script failed with ValueError within 5 min 0 s.",
        )
    ]
    Task.objects.update(finished_at=ago(400))
    assert opened() == []
    assert Alert.objects.get().closed_at


@pytest.mark.parametrize(
    "filters",
    [{"kind": "test.script"}, {"queue": "a"}, {"error_type": "ValueError"}],
    ids=lambda filters: next(iter(filters)),
)
def test_failed_tasks_are_filtered(rule: Rule, filters: dict[str, str]) -> None:
    rule("task_failed", threshold=1, **filters)
    failed(kind="test.other", queue="b", error={"type": "KeyError", "title": "", "detail": ""})
    assert opened() == []
    failed(queue="a")
    ((subject, value, _),) = opened()
    assert (subject, value) == ("test.script: ValueError", 1)


def ended(**numbers: int) -> None:
    """Set how many tasks of the queue `q` and the kind `k` have ended since the beginning."""
    MetricSum.objects.all().delete()
    for status, number in numbers.items():
        MetricSum.objects.create(
            name="tasks_ended", labels=["q", "k", status.upper()], numbers=[number]
        )


def age_samples(seconds: float) -> None:
    """Make the last evaluation one that was so many seconds ago."""
    for stored in AlertRule.objects.all():
        stored.samples = [[at - seconds, *counts] for at, *counts in stored.samples]
        stored.save()


def test_the_failure_rate_is_that_of_the_tasks_that_ended_in_the_window(rule: Rule) -> None:
    rule("failure_rate", threshold=50, window_seconds=300)
    ended(completed=1_000, failed=900, cancelled=10)
    assert opened() == []
    age_samples(100)
    ended(completed=1_008, failed=901, cancelled=99)
    # Of nine tasks no rate is taken.
    assert opened() == []
    age_samples(100)
    ended(completed=1_008, failed=912, cancelled=99)
    assert opened() == [
        ("all tasks", 60.0, "60 % of the tasks that ended within 5 min 0 s failed: 12 of 20.")
    ]
    age_samples(400)
    ended(completed=1_028, failed=912)
    assert opened() == []


def test_the_failure_rate_of_other_kinds_and_queues_is_left_out(rule: Rule) -> None:
    rule("failure_rate", name="other kind", threshold=1, kind="other")
    rule("failure_rate", name="other queue", threshold=1, queue="other")
    rule("failure_rate", name="this", threshold=1, queue="q", kind="k")
    ended(failed=0)
    evaluate()
    ended(failed=20)
    assert [subject for subject, *_ in opened()] == ["kind k, queue q"]


def test_counters_that_were_set_back_are_no_rate(rule: Rule) -> None:
    rule("failure_rate", threshold=1)
    ended(failed=100)
    evaluate()
    ended(failed=20)
    assert opened() == []
    ended(failed=40)
    assert opened() == [
        ("all tasks", 100.0, "100 % of the tasks that ended within 15 min 0 s failed: 20 of 20.")
    ]


def test_the_oldest_due_task_of_each_queue_is_watched(rule: Rule) -> None:
    rule("oldest_due_age", threshold=60)
    make_task(queue="slow", created_at=ago(120.2))
    make_task(queue="quick", created_at=ago(1))
    make_task(queue="later", created_at=ago(120), scheduled_at=timezone.now() + dt.timedelta(1))
    ((subject, value, sentence),) = opened()
    assert (subject, 120 < value < 130) == ("slow", True)
    assert sentence.startswith("The oldest due task of the queue slow has waited for 2 min ")
    Task.objects.filter(queue="slow").delete()
    assert opened() == []


def test_a_paused_queue_is_named_as_such(rule: Rule) -> None:
    rule("oldest_due_age", threshold=60, queue="slow")
    make_task(queue="slow", created_at=ago(3_600))
    lifecycle.pause_queue("slow")
    ((_, _, sentence),) = opened()
    assert sentence.endswith("for 1 h 0 min; the queue is paused.")


def test_the_backlog_counts_due_tasks_only(rule: Rule) -> None:
    rule("backlog", threshold=2)
    for _ in range(2):
        make_task(queue="a")
    for queue in ("b", "b"):
        make_task(queue=queue, scheduled_at=timezone.now() + dt.timedelta(1))
    assert opened() == [("a", 2, "The queue a has 2 due tasks.")]
    Task.objects.all().delete()
    assert opened() == []


def test_a_queue_without_a_live_worker_is_reported_while_tasks_are_due(rule: Rule) -> None:
    rule("no_worker")
    make_task(queue="a")
    make_task(queue="later", scheduled_at=timezone.now() + dt.timedelta(1))
    make_worker("gone:1", silent_for=60)
    of_others = make_worker("b:1")
    Worker.objects.filter(pk=of_others).update(queues=["b"])
    draining = make_worker("draining:1")
    Worker.objects.filter(pk=draining).update(state="draining")
    assert opened() == [("a", 1, "The queue a has 1 due task, but no live worker claims from it.")]
    Worker.objects.filter(pk=of_others).update(queues=["b", "a"])
    assert opened() == []


def test_a_paused_queue_needs_no_worker(rule: Rule) -> None:
    rule("no_worker")
    make_task(queue="a")
    lifecycle.pause_queue("a")
    assert opened() == []


def test_an_open_circuit_is_reported_until_it_closes(rule: Rule) -> None:
    rule("circuit_open")
    Breaker.objects.create(name="closed", failures=3)
    Breaker.objects.create(name="llm", failures=5, open_until=ago(-60), last_error="answered 500")
    assert opened() == [
        (
            "llm",
            5,
            "The circuit to llm is open after 5 failures in a row; the last error: answered 500",
        )
    ]
    # Half-open is not over.
    Breaker.objects.filter(name="llm").update(open_until=ago(1))
    assert len(opened()) == 1
    circuit_breaker.reset("llm")
    assert opened() == []


def test_a_late_schedule_is_reported_until_it_runs(rule: Rule) -> None:
    Schedule.objects.all().delete()
    rule("schedule_late", threshold=60)
    for name, late in (("late", 7_200), ("due", 5)):
        schedule = schedules.create(name=name, kind="test.script", cron="0 0 * * *")
        Schedule.objects.filter(pk=schedule.pk).update(next_at=ago(late))
    ((subject, value, sentence),) = opened()
    assert (subject, 7_200 <= value < 7_260) == ("late", True)
    assert sentence == "The schedule late should have run 2 h 0 min ago."
    schedules.fire_due()
    assert opened() == []


def retried(callback_url: str, attempt: int) -> Task:
    """Return a callback that waits for another attempt."""
    reported = make_task(Status.COMPLETED, callback_url=callback_url)
    return make_task(
        kind="callback.deliver",
        queue="callbacks",
        input={"task_id": str(reported.pk)},
        attempt=attempt,
        max_attempts=10,
        scheduled_at=ago(-300),
    )


def test_a_receiver_that_accepts_no_callback_is_reported_without_its_path(
    rule: Rule, settings: Any
) -> None:
    settings.CALLBACK_ALLOW_PRIVATE = True
    rule("callback_receiver", threshold=3)
    for attempt in (2, 3, 4):
        retried("http://dead.example:81/secret", attempt)
    retried("http://slow.example/", 2)
    assert opened() == [
        (
            "dead.example:81",
            4,
            "The receiver dead.example:81 has accepted no callback in 4 attempts;"
            " 2 callbacks wait for it.",
        )
    ]
    Task.objects.filter(kind="callback.deliver").delete()
    assert opened() == []


def test_a_full_disk_of_the_embedded_database_is_reported(
    rule: Rule, settings: Any, tmp_path: Any
) -> None:
    settings.EMBEDDED, settings.DATA_DIR = object(), tmp_path
    usage = shutil.disk_usage(tmp_path)
    percent = round(100 * (1 - usage.free / (usage.used + usage.free)))
    rule("database_disk", threshold=1)
    ((subject, value, sentence),) = opened()
    assert subject == str(tmp_path)
    assert value == pytest.approx(percent, abs=1)
    assert sentence.startswith("The disk of the database is ")
    AlertRule.objects.update(threshold=100)
    assert opened() == []


def test_the_size_of_the_database_is_watched(rule: Rule) -> None:
    rule("database_size", threshold=0.001)
    ((subject, value, sentence),) = opened()
    assert (subject, value > 0) == (connection.settings_dict["NAME"], True)
    assert sentence == f"The database {subject} has {value:.3f} GiB."
    AlertRule.objects.update(threshold=1_000)
    assert opened() == []


def test_the_share_of_used_connections_is_watched(rule: Rule) -> None:
    rule("database_connections", threshold=1)
    params = connection.get_connection_params()
    target = {name: params[name] for name in ("dbname", "user", "host")}
    with ExitStack() as stack:
        # With the test's own 1.5 percent of the 200 that the server admits.
        for _ in range(2):
            stack.enter_context(psycopg.connect(**target))
        ((_, value, sentence),) = opened()
    assert value >= 1
    assert " connections to the database are in use (" in sentence
    AlertRule.objects.update(threshold=100)
    assert opened() == []


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_that_is_held_for_long_is_reported_until_it_ends(rule: Rule) -> None:
    rule("database_xmin", threshold=20)
    params = connection.get_connection_params()
    target = {name: params[name] for name in ("dbname", "user", "host")}
    with psycopg.connect(**target) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT 1 FROM tasks_task")
        with psycopg.connect(**target, autocommit=True) as other:
            for _ in range(30):
                other.execute("SELECT pg_current_xact_id()")
        ((_, value, sentence),) = opened()
        assert value >= 30
        assert sentence.startswith("The oldest snapshot is from ")
    assert opened() == []
