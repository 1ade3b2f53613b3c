"""Callbacks: submit tasks with a callback URL, start the senders, wait for the end."""

from __future__ import annotations

import uuid

from django.test import override_settings

from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.faults.harness.delays import make_all_due
from tests.faults.harness.processes import Workers
from tests.faults.harness.system import System
from tests.waiting import wait_until

KIND = "callback.deliver"


def start_senders(
    system: System, *, processes: int = 1, concurrency: int = 4, **environment: str
) -> Workers:
    """Start workers that may call receivers on this machine."""
    return system.workers(
        processes=processes,
        concurrency=concurrency,
        queues=(),
        registered=True,
        **{"CALLBACK_ALLOW_PRIVATE": "true", **environment},
    )


def submit_with_callback(system: System, url: str, count: int) -> list[uuid.UUID]:
    """Submit tasks with this callback URL; return their ids."""
    with override_settings(CALLBACK_ALLOW_PRIVATE=True):
        tasks = [prepare("test.script", callback_url=url) for _ in range(count)]
        return system.submit(tasks)


def wait_until_callbacks_end(system: System) -> None:
    """Wait until every callback has ended; make waiting ones due at once."""

    def ended() -> bool:
        make_all_due(system.queries, kind=KIND)
        return not Task.objects.filter(status__in=(Status.PENDING, Status.PROCESSING)).exists()

    wait_until(ended, within=180, what="all ended")


def count_callbacks(status: Status) -> int:
    return Task.objects.filter(kind=KIND, status=status).count()
