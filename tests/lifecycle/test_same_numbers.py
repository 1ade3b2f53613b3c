"""Every interface that counts tasks or workers reports the same numbers of one system."""

from __future__ import annotations

import datetime as dt
import re
import socket
from io import StringIO
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from tasks import lifecycle, stats
from tasks.models import Status, Worker, WorkerState
from tests.api.described import described
from tests.console.pages import text
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db

WORKERS = {"alive": 1, "draining": 1, "dead": 2}
# Tasks that each worker has claimed; those of the silent one have not been rescued yet.
CLAIMED = {"alive:1": 2, "draining:2": 1, "silent:3": 1, "rescued:4": 0}
LANES = {"primary": 4, "retry": 1, "scheduled": 2, "dlq": 2}
STATES = {"PENDING": 7, "PROCESSING": 4, "COMPLETED": 1, "FAILED": 2, "CANCELLED": 1}
# Pending, processing, paused.
QUEUES = {
    "conversations": (2, 3, False),
    "default": (3, 1, False),
    "webhooks": (2, 0, True),
}


@pytest.fixture(autouse=True)
def _system(settings: Any) -> None:
    """Make workers in every state, and tasks in every status and lane."""
    settings.API_ALLOW_ANONYMOUS = True
    now, minute = timezone.now(), dt.timedelta(minutes=1)
    workers = {}
    for name, silent_for, state in (
        ("alive:1", 0, WorkerState.RUNNING),
        ("draining:2", 0, WorkerState.DRAINING),
        ("silent:3", settings.LEASE_SECONDS, WorkerState.RUNNING),
        ("rescued:4", 0, WorkerState.LOST),
    ):
        workers[name] = make_worker(name, silent_for=silent_for)
        # What a worker said at its last heartbeat may be wrong by now.
        Worker.objects.filter(pk=workers[name]).update(
            state=state, host=socket.gethostname(), pid=0, running=9
        )
    for name, queue in (
        ("alive:1", "default"),
        ("alive:1", "conversations"),
        ("draining:2", "conversations"),
        ("silent:3", "conversations"),
    ):
        make_task(Status.PROCESSING, worker_id=workers[name], queue=queue)
    make_task(created_at=now - minute)
    make_task(attempt=1, scheduled_at=now - minute / 2, created_at=now - minute)
    make_task(attempt=1, scheduled_at=now + minute)
    make_task(queue="conversations")
    make_task(queue="conversations", scheduled_at=now + minute)
    for _ in range(2):
        make_task(queue="webhooks")
    lifecycle.pause_queue("webhooks")
    for status in (Status.COMPLETED, Status.FAILED, Status.FAILED, Status.CANCELLED):
        make_task(status)


def written_by(command: str, *arguments: str) -> str:
    output = StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue()


def test_the_routes_of_health_count_the_workers_and_what_they_have_claimed(
    api: APIClient,
) -> None:
    health = api.get("/health").json()
    assert health["workers"] == WORKERS == stats.worker_counts()
    assert health["queue"]["waiting"] == LANES["primary"] + LANES["retry"]
    workers = described(api.get("/health/workers"))["workers"]
    assert {worker["name"]: worker["running"] for worker in workers} == CLAIMED
    states = [worker["state"] for worker in workers]
    assert {state: states.count(state) for state in WORKERS} == WORKERS
    diagnosed = described(api.get("/health/workers/diagnostics"))["workers"]
    assert {worker["name"]: len(worker["running_tasks"]) for worker in diagnosed} == CLAIMED
    assert sum(CLAIMED.values()) == STATES["PROCESSING"]


def require_status(document: dict[str, Any]) -> None:
    """Compare what the API and the command print."""
    assert document["queues"] == LANES
    assert document["states"] == STATES
    shown = {
        name: (load["pending"], load["processing"], load["paused"])
        for name, load in document["by_queue"].items()
    }
    assert {name: shown.pop(name) for name in QUEUES} == QUEUES
    assert set(shown.values()) == {(0, 0, False)}


def test_the_status_of_the_queues_is_the_same_in_api_and_command(api: APIClient) -> None:
    require_status(described(api.get("/api/v1/queues/status")))
    printed = orjson.loads(written_by("queue_status", "--json"))
    require_status(printed)
    assert {worker["name"]: worker["running"] for worker in printed["workers"]} == CLAIMED
    conversations = api.get("/conversations/tasks/queues/status").json()["queues"]
    for name in ("conversations", "webhooks"):
        pending, processing, _ = QUEUES[name]
        assert conversations[name] == {"active": processing, "pending": pending}
    assert api.get("/conversations/tasks/active").json()["total"] == QUEUES["conversations"][1]


def test_the_metrics_are_the_same(api: APIClient) -> None:
    values: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(api.get("/metrics").content.decode()):
        values[family.name] = {
            next(iter(sample.labels.values()), ""): sample.value for sample in family.samples
        }
    assert values["tasks_workers"] == WORKERS
    # A dead worker has no slots.
    assert values["tasks_worker_busy"] == {
        name: CLAIMED[name] for name in ("alive:1", "draining:2")
    }
    assert sum(values["tasks_worker_slots"].values()) == 8
    assert values["tasks_stored"] == STATES
    assert values["tasks_lane"] == LANES
    for name, (pending, processing, paused) in QUEUES.items():
        assert values["tasks_waiting"][name] == pending
        assert values["tasks_running"][name] == processing
        assert values["tasks_queue_paused"][name] == paused
    checks = api.get("/health").json()["checks"]
    levels = ["ok", "warning", "failed", "unknown"]
    assert values["tasks_health"] == {
        name: levels.index(check["status"]) for name, check in checks.items()
    }


def test_the_console_shows_the_same(viewer: User, client: Client) -> None:
    client.force_login(viewer)
    overview = text(client.get(reverse("admin:index")))
    for words in (
        "Pending, due 5",
        "Processing 4 of 8 slots",
        "Dead letters 2",
        "Workers alive 1 of 4 registered",
        "Primary 4 Retry 1 Scheduled 2 Dead letters 2",
    ):
        assert words in overview
    queues = text(client.get(reverse("admin:tasks_queue_changelist")))
    for name, (pending, processing, paused) in QUEUES.items():
        badge = "Paused " if paused else ""
        assert f"{name} {badge}{pending} {processing} " in overview
        state = "Paused \\d+ s ago" if paused else "Open"
        assert re.search(rf"{name} {state} {pending} {processing} ", queues)
    workers = text(client.get(reverse("admin:tasks_worker_changelist")))
    for name, claimed in CLAIMED.items():
        for page in (overview, workers):
            assert re.search(rf"{name} \w+ .*? ago {claimed} / 4 ", page), (name, page)


def test_the_commands_report_the_same() -> None:
    assert written_by("worker_health") == (
        f"Workers on {socket.gethostname()}: 1 alive, 1 draining.\n"
    )
    output = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_queue", "--max-age=3600", stdout=output)
    # Without the paused queue.
    assert "waiting=3;" in output.getvalue()
    assert "failed=2;" in output.getvalue()
    stored = written_by("reset")
    for word, count in (STATES | WORKERS).items():
        assert re.search(rf" {count}  (tasks|workers) {word}\n", stored), (word, stored)
