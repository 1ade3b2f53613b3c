"""Claims that the database has and the worker does not know of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tasks
from tasks.models import Status, Task
from tests.lifecycle.claiming import claim
from tests.waiting import wait_until
from tests.workers import WorkerCommand


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_was_committed_after_its_connection_broke_is_released(
    worker: Callable[..., WorkerCommand], tmp_path
) -> None:
    # Every slot is busy, so that nothing else makes the worker look.
    command = worker(concurrency=1)
    gate = tmp_path / "gate"
    blocking = tasks.submit("test.script", {"do": "wait for file", "file": str(gate)})
    wait_until(lambda: Task.objects.get(pk=blocking.pk).status == Status.PROCESSING, what="it runs")
    late = tasks.submit("test.script")
    (process,) = command.workers()
    # What the server's process does for a client that is gone.
    claim(process.pk)
    assert Task.objects.get(pk=late.pk).status == Status.PROCESSING
    wait_until(lambda: Task.objects.get(pk=late.pk).status == Status.PENDING, what="it waits again")
    gate.touch()
    wait_until(lambda: Task.objects.get(pk=late.pk).status == Status.COMPLETED, what="it has ended")
    stored = Task.objects.get(pk=late.pk)
    assert (stored.attempt, stored.claim_number) == (1, 2)
    assert Task.objects.get(pk=blocking.pk).attempt == 1
