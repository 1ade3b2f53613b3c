"""A worker is alive, draining or dead by the database's clock, the same at every interface."""

from __future__ import annotations

import datetime as dt
import re
import socket
from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from tasks import stats
from tasks.models import Worker, WorkerState
from tasks.stats import Liveness
from tests.console.pages import text
from tests.factories import make_worker

pytestmark = pytest.mark.django_db

STATES = {
    "new:1": Liveness.ALIVE,
    "late:2": Liveness.ALIVE,
    "stopping:3": Liveness.DRAINING,
    "silent:4": Liveness.DEAD,
    "stopped:5": Liveness.DEAD,
    "rescued:6": Liveness.DEAD,
}
COUNTS = {"alive": 2, "draining": 1, "dead": 3}


@pytest.fixture(autouse=True)
def _workers(settings: Any) -> None:
    lease = settings.LEASE_SECONDS
    for name, silent_for, state in (
        ("new:1", 0, WorkerState.RUNNING),
        ("late:2", lease / 3, WorkerState.RUNNING),
        ("stopping:3", 0, WorkerState.DRAINING),
        ("silent:4", lease, WorkerState.RUNNING),
        ("stopped:5", lease, WorkerState.DRAINING),
        ("rescued:6", 0, WorkerState.LOST),
    ):
        worker = Worker.objects.filter(pk=make_worker(name, silent_for=silent_for))
        # No process has this number.
        worker.update(state=state, host=socket.gethostname(), pid=0)


def written_by(command: str, *arguments: str) -> str:
    output = StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue()


def states(rows: list[dict[str, str]]) -> dict[str, str]:
    return {row["name"]: row["state"] for row in rows}


def test_a_worker_is_dead_from_the_end_of_its_lease_or_its_rescue():
    assert {worker.name: worker.liveness for worker in stats.workers()} == STATES
    assert stats.worker_counts() == COUNTS


def test_without_workers_every_count_is_zero():
    Worker.objects.all().delete()
    assert stats.worker_counts() == {"alive": 0, "draining": 0, "dead": 0}


@pytest.mark.parametrize("minutes", [0, 60, -60])
def test_every_interface_agrees_whatever_the_clock_of_its_process(
    api, client, viewer, monkeypatch, minutes
):
    client.force_login(viewer)
    now, wrong_by = timezone.now, dt.timedelta(minutes=minutes)
    monkeypatch.setattr(timezone, "now", lambda: now() + wrong_by)
    assert api.get("/health").json()["workers"] == COUNTS
    for path in ("/health/workers", "/health/workers/diagnostics"):
        assert states(api.get(path).json()["workers"]) == STATES
    assert states(orjson.loads(written_by("queue_status", "--json"))["workers"]) == STATES
    assert written_by("worker_health") == (
        f"Workers on {socket.gethostname()}: 2 alive, 1 draining.\n"
    )
    overview = text(client.get(reverse("admin:index")))
    assert "Workers alive 2 of 6 registered" in overview
    for shown in (overview, text(client.get(reverse("admin:tasks_worker_changelist")))):
        assert {name: re.search(rf"{name} (\w+)", shown)[1].lower() for name in STATES} == STATES
