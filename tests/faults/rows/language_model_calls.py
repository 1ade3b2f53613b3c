"""Language model calls: their number after refusals and after crashes: R50, R51."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from analysis.llm.errors import NO_CREDIT
from tasks import circuit_breaker
from tasks.models import Status, Task
from tests.fakes.openrouter import Fake
from tests.faults.harness.language_model import (
    CONCURRENCY,
    PROCESSES,
    opened_at,
    start_llm_workers,
    texts,
    wait_until_answered,
)
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.standstill import cut_off, kill_all, rows_locked, wait_until_blocked
from tests.faults.harness.system import System
from tests.waiting import wait_until

REFUSALS = ("400", "401", "403", "404")
CRASHES = 50
WAVE = 10


@row(
    "R50",
    title="the provider answers 400, 401, 403, 404; 402",
    promise="no blind retry",
    target="1 call a task; 402 opens the circuit for all",
    limit=180,
)
def refusals(system: System, dice: Dice) -> Measured:
    """Count the calls of refused tasks, and of tasks without credit (402)."""
    summaries, met = [], True
    with Fake(latency=0.1) as fake:
        start_llm_workers(system, fake, CIRCUIT_BREAKER_RECOVERY_TIMEOUT="3600")
        for refusal in REFUSALS:
            fake.calls.clear()
            fake.behaviour = refusal
            ids = system.submit(texts(refusal, 20, attempts=4))
            system.wait_until_ended(within=60)
            failed = Task.objects.filter(pk__in=ids, status=Status.FAILED).count()
            most = max(Counter(call["prompt"] for call in fake.calls).values())
            met &= len(fake.calls) == failed == 20
            summaries.append(
                f"{refusal} {len(fake.calls)} calls for {failed} tasks, at most {most} each"
            )
        fake.calls.clear()
        fake.behaviour = "402"
        ids = system.submit(texts("402", 100, attempts=4))
        wait_until(opened_at, what="the circuit opens")
        wait_until(lambda: _postponed() == 100 - len(fake.calls), within=60, what="all postponed")
        unpaid = len(fake.calls)
        failed = Task.objects.filter(pk__in=ids, error__detail=NO_CREDIT).count()
        fake.behaviour = "ok"
        circuit_breaker.reset()
        wait_until_answered(system)
    completed = Task.objects.filter(pk__in=ids, status=Status.COMPLETED).count()
    return Measured(
        f"{'; '.join(summaries)}; 402: {unpaid} calls for 100 tasks by {PROCESSES * CONCURRENCY} "
        f"slots, {failed} failed of them, the other {completed} completed after it was paid",
        met=met and unpaid == failed <= PROCESSES * CONCURRENCY and completed == 100 - failed,
    )


@row(
    "R51",
    title=f"SIGKILL ×{CRASHES} after the model's answer, before the task is finished",
    promise="the answer is reused, or requested once more",
    target="≤ 1 extra call a crash",
    limit=400,
)
def crashes_after_the_answer(system: System, dice: Dice) -> Measured:
    """Kill workers while their finish waits, and others about when the answer comes."""
    crashes = 20 if system.quick else CRASHES
    held = moments = 0
    with Fake(latency=0.3) as fake:
        while held + moments < crashes:
            if (held + moments) // WAVE % 2:
                moments += _killed_at_a_moment(system, fake, dice)
            else:
                held += _killed_in_the_finish(system, fake)
        start_llm_workers(system, fake)
        wait_until_answered(system)
        calls = Counter(call["prompt"] for call in fake.calls)
    losses = system.queries.value("SELECT count(*) FROM tasks_attempt WHERE outcome = 'lost'")
    tasks, extra = len(system.accepted.ids()), sum(calls.values()) - len(calls)
    return Measured(
        f"{extra} extra calls for {tasks} tasks that crashed {losses} times: {held} with the "
        f"answer kept, {moments} within 50 ms of it; {system.count(Status.COMPLETED)} completed",
        met=extra <= losses and losses >= crashes and system.count(Status.COMPLETED) == tasks,
    )


def _killed_in_the_finish(system: System, fake: Fake) -> int:
    """Kill workers with stored answers while their finish waits for the rows of its tasks."""
    queue = f"held-{len(fake.calls)}"
    ids = system.submit(texts(queue, WAVE, queue=queue))
    victims = start_llm_workers(system, fake, queues=[queue], processes=1, concurrency=WAVE)
    calls = len(fake.calls)
    wait_until(lambda: len(fake.calls) >= calls + WAVE or _all_begun(ids), what="all calls begun")
    with rows_locked(system, ids) as locked:
        blocked = wait_until_blocked(system, "worker finish", 1)
        # One blocked finish holds up all ended tasks: the last answers come meanwhile.
        time.sleep(fake.latency)
        kill_all(victims)
        cut_off(system, blocked)
        locked.rollback()
    return WAVE - Task.objects.filter(pk__in=ids, status=Status.COMPLETED).count()


def _killed_at_a_moment(system: System, fake: Fake, dice: Dice) -> int:
    """Kill workers about when their answers come."""
    queue = f"moment-{len(fake.calls)}"
    calls = len(fake.calls)
    victims = start_llm_workers(system, fake, queues=[queue], processes=1, concurrency=WAVE)
    ids = system.submit(texts(queue, WAVE, queue=queue))
    wait_until(lambda: len(fake.calls) >= calls + WAVE, within=60, what="all calls begun")
    time.sleep(fake.latency + dice.uniform(-0.05, 0.05))
    kill_all(victims)
    return WAVE - Task.objects.filter(pk__in=ids, status=Status.COMPLETED).count()


def _postponed() -> int:
    return Task.objects.filter(status=Status.PENDING, scheduled_at__isnull=False).count()


def _all_begun(ids: Sequence[object]) -> bool:
    return not Task.objects.filter(pk__in=ids, status=Status.PENDING).exists()
