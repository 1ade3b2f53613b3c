"""Batches and workflows under kills: F05, F06."""

from __future__ import annotations

import time
from typing import LiteralString

from django.db import connection

from tasks import lifecycle
from tasks.lifecycle import Following, Node
from tasks.lifecycle.preparation import prepare
from tasks.models import Batch, Status, Task
from tests.callbacks.receiver import Receiver, receiver
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

# How often tasks started before one that they wait for had ended.
TOO_EARLY: LiteralString = """
    SELECT count(*)
    FROM tasks_dependency AS dependency
    JOIN tasks_task AS parent ON parent.id = dependency.on_id
    JOIN faults_history AS step ON step.task_id = dependency.task_id AND became = 'PROCESSING'
    WHERE parent.finished_at IS NULL OR step.at < parent.finished_at
"""


@row(
    "F05",
    title="a batch of 10,000 tasks that end together, workers and leaders killed meanwhile; then"
    " 50 batches of 40, each with a failure that is retried",
    promise="one end",
    target="tasks after the end 1, callbacks 1 for each end; never before the last end",
    limit=1_200,
)
def batches(system: System, dice: Dice) -> Measured:
    """Kill workers while thousands of members end, and count what follows."""
    with receiver() as target:
        return _batches(system, dice, target)


def _batches(system: System, dice: Dice, target: Receiver) -> Measured:
    size, kills, small = (1_000, 4, 5) if system.quick else (10_000, 30, 50)
    workers = system.workers(processes=3, concurrency=8)
    then = prepare("test.effect")
    large = lifecycle.submit_many(
        [prepare("test.effect", {"seconds": 0.001}) for _ in range(size)],
        following=Following(then=then, callback_url=target.url()),
    )
    killed = 0
    while killed < kills and not _has_ended(large):
        time.sleep(dice.uniform(0.05, 0.5))
        if registered := workers.registered():
            system.kill(dice.choice(registered))
            killed += 1
    retried = [_with_failure(target) for _ in range(small)]
    wait_until(lambda: all(map(_has_ended, retried)), within=120, what="the batches end")
    for batch in retried:
        lifecycle.retry_batch(batch)
    system.wait_until_ended(within=600)
    wait_until(
        lambda: _outcomes([large, *retried]) == {str(Status.COMPLETED)},
        within=60,
        what="the batches have completed",
    )
    system.wait_until_ended(within=120)
    effects = system.queries.value(
        "SELECT count(*) FROM script_effect WHERE task_id = %(task)s", {"task": then.id}
    )
    callbacks = Task.objects.filter(kind="callback.deliver", input__batch_id=str(large.pk)).count()
    early = system.queries.value(
        "SELECT count(*) FROM tasks_task WHERE batch_id = %(batch)s AND is_awaited"
        " AND finished_at > (SELECT started_at FROM tasks_task WHERE id = %(task)s)",
        {"batch": large.pk, "task": then.id},
    )
    followed = Task.objects.filter(
        pk__in=[batch.then_id for batch in retried], status=Status.COMPLETED
    ).count()
    doubled = system.doubled()
    return Measured(
        f"{size:,} members, {killed} kills: {effects} effect of the task after the end, {callbacks}"
        f" callback, {early} members ended after its start; of {small} retried batches {followed}"
        f" went on; doubled {doubled}",
        met=effects == callbacks == 1
        and early == 0
        and followed == small
        and doubled == 0
        and killed >= kills // 2,
    )


@row(
    "F06",
    title="a workflow of 1,000 nodes in layers, some of which fail and are retried, workers killed"
    " at random and the database crashed",
    promise="each node once effective, one end",
    target="effects of each node 1, started too early 0, ends 1, lost 0",
    limit=1_800,
)
def workflow(system: System, dice: Dice) -> Measured:
    """Kill workers, and the database once, while a graph is worked off."""
    with receiver() as target:
        return _workflow(system, dice, target)


def _workflow(system: System, dice: Dice, target: Receiver) -> Measured:
    layers, width, kills = (10, 10, 6) if system.quick else (25, 40, 60)
    workers = system.workers(processes=3, concurrency=8)
    nodes: dict[str, Node] = {}
    for layer in range(layers):
        for place in range(width):
            before = [f"n{layer - 1}_{dice.randrange(width)}" for _ in range(3)] if layer else []
            nodes[f"n{layer}_{place}"] = Node(
                kind="test.effect",
                input={"seconds": 0.005, "do": "raise" if dice.randrange(50) == 0 else "go"},
                after=sorted(set(before)),
            )
    batch = lifecycle.submit_workflow(nodes, callback_url=target.url())
    killed = retries = 0
    while _outcomes([batch]) != {str(Status.COMPLETED)}:
        if _failed(batch):
            # What failed succeeds when it is retried.
            Task.objects.filter(batch=batch, status=Status.FAILED).update(input={"seconds": 0.005})
            retries += lifecycle.retry_batch(batch)
        if killed < kills and (registered := workers.registered()):
            system.kill(dice.choice(registered))
            killed += 1
        if killed == kills // 2:
            killed += 1
            system.server.crash()
            system.server.start()
            connection.close()
        time.sleep(dice.uniform(0.1, 0.6))
    system.wait_until_ended(within=300)
    doubled = system.doubled()
    early = system.queries.value(TOO_EARLY)
    lost = len(nodes) - system.queries.value("SELECT count(DISTINCT task_id) FROM script_effect")
    callbacks = Task.objects.filter(kind="callback.deliver", input__status="COMPLETED").count()
    return Measured(
        f"{len(nodes):,} nodes, {killed} kills, {retries} retries: lost {lost}, doubled {doubled},"
        f" {early} started too early, {callbacks} end",
        met=lost == 0 and doubled == 0 and early == 0 and callbacks == 1 and killed >= kills // 2,
    )


def _with_failure(target: Receiver) -> Batch:
    """Submit a small batch, one member of which fails at its first run."""
    new = [prepare("test.effect") for _ in range(39)]
    new.append(prepare("test.script", {"do": "raise once"}, max_attempts=1))
    following = Following(then=prepare("test.effect"), on_failure="stop", callback_url=target.url())
    return lifecycle.submit_many(new, following=following)


def _has_ended(batch: Batch) -> bool:
    return Batch.objects.filter(pk=batch.pk, ended_at__isnull=False).exists()


def _failed(batch: Batch) -> bool:
    return Task.objects.filter(batch=batch, status=Status.FAILED).exists()


def _outcomes(batches: list[Batch]) -> set[str | None]:
    ids = [batch.pk for batch in batches]
    return set(Batch.objects.filter(pk__in=ids).values_list("outcome", flat=True))
