"""The executor: what the worker still holds after attempts of every kind of ending."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import tasks
from tasks import kinds
from tasks.lifecycle.ending import Claim, ClaimKey
from tasks.models import Status, Task
from tasks.supervision.fork_server import ForkServer
from tasks.worker.buffer import Buffer
from tasks.worker.child import run_child
from tasks.worker.executor import Executor
from tasks.worker.finisher import Finisher
from tasks.worker.isolation import Isolation
from tasks.worker.threads import in_thread
from tests.factories import make_worker
from tests.lifecycle.claiming import claim
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db(transaction=True)


def _buffer(concurrency: int) -> Buffer:
    return Buffer(concurrency=concurrency, on_low=lambda: None, on_short=lambda: None)


def _executor(concurrency: int, buffer: Buffer, finisher: Finisher) -> Executor:
    return Executor(
        concurrency=concurrency,
        worker="test:1",
        buffer=buffer,
        finisher=finisher,
        isolation=Isolation(ForkServer(run_child), worker="test:1"),
        recycle=lambda: None,
    )


async def _run(claims: Sequence[Claim], held: set[ClaimKey]) -> None:
    """Run the claims in one slot, and record their endings."""
    finisher = Finisher(worker="test:1", held=held)
    buffer = _buffer(1)
    executor = _executor(1, buffer, finisher)
    number = executor.add_slot()
    finishing = in_thread("finisher", finisher.run)
    running = asyncio.create_task(executor.run(number))
    buffer.put(claims)
    while len(buffer) or executor.running():
        await asyncio.sleep(0.01)
    buffer.close()
    await running
    executor.close(number)
    await in_thread("flush", finisher.flush)
    finisher.stop()
    await finishing


@pytest.mark.parametrize("kind", ["test.script", "test.effect"])
def test_nothing_is_held_after_attempts_have_ended_or_lost_their_claim(kind):
    assert kinds.get(kind).transactional == (kind == "test.effect")
    for _ in range(6):
        tasks.submit(kind)
    claims = claim(make_worker())
    execute("UPDATE tasks_task SET lease = lease + 1 WHERE id = %s", [claims[1].id])
    held = {held.key for held in claims}
    asyncio.run(_run(claims, held))
    assert held == set()
    assert Task.objects.filter(status=Status.COMPLETED).count() == 5


def test_a_slot_whose_thread_has_not_begun_does_not_count_as_busy():
    # The claimer would believe that its process is full, and wait for a poll although it has room.
    tasks.submit("test.script")
    buffer = _buffer(2)
    buffer.put(claim(make_worker()))

    async def add_slot() -> None:
        _executor(2, buffer, Finisher(worker="test:1", held=set())).add_slot()

    asyncio.run(add_slot())
    assert buffer.free() == 1
