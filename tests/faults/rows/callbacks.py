"""Receivers of callbacks that fail, and workers that die while they send: R52, R53."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg

from tasks import lifecycle
from tasks.callbacks.retry_schedule import PAUSES
from tasks.models import Attempt, Status, Task
from tests.callbacks.receiver import Receiver, receiver
from tests.faults.harness.callbacks import (
    KIND,
    count_callbacks,
    start_senders,
    tell,
    wait_until_told,
)
from tests.faults.harness.delays import make_all_due
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.standstill import cut_off, kill_all, wait_until_blocked
from tests.faults.harness.system import System
from tests.waiting import wait_until

EACH = 20
ROUNDS = 3
# What a receiver may do that is no success: a path, or an answer's head. Each has one of its own.
PATHS = ("/500", "/silent", "/drip", "/reset")
HEADS = ("429 Busy\nRetry-After: 1", "301 Elsewhere\nLocation: /200")
KILLS = 50
WAVE = 10


@row(
    "R52",
    title=f"receivers answer 500, 429, 301, 410, nothing, byte by byte, or hang up, {ROUNDS} times",
    promise="the schedule is kept, a redirection is not followed, 410 ends it",
    target="≥ 1 delivery each under one webhook-id, 0 after 410",
    limit=400,
)
def bad_receivers(system: System, dice: Dice) -> Measured:
    """Let every kind of receiver fail several times, then accept; look at all that came."""
    rounds = 1 if system.quick else ROUNDS
    with ExitStack() as running:
        bad = [(running.enter_context(receiver()), path) for path in PATHS]
        for head in HEADS:
            bad.append((running.enter_context(receiver()), "/"))
            bad[-1][0].answers = [head]
        gone = running.enter_context(receiver())
        told = {id: one for one, path in bad for id in tell(system, one.url(path), EACH)}
        gone_ids = tell(system, gone.url("/410"), EACH)
        start_senders(system, processes=2)
        for number in range(1, rounds + 1):
            _until_failed(system, len(told), times=number)
        off = _off_schedule()
        for one, _ in bad:
            one.answers = ["200 Yes"]
            Task.objects.filter(pk__in=told).filter(callback_url__startswith=one.url("")).update(
                callback_url=one.url("/")
            )
        wait_until_told(system)
        ids = _ids_by_task([one for one, _ in bad])
        followed = sum(came.path == "/200" for one, _ in bad for came in one.received)
        delivered = count_callbacks(Status.COMPLETED)
        after = len(gone.received) - len({came.id for came in gone.received})
    several = sum(len(found) != 1 for found in ids.values())
    return Measured(
        f"{delivered} of {len(told)} delivered after {rounds} failures each, {several} of "
        f"{len(ids)} under more than one webhook-id; {off} pauses off the schedule; redirections "
        f"followed {followed}; {len(gone_ids)} to one that is gone: {len(gone.received)} sent, "
        f"{after} after its 410",
        met=delivered == len(told) == len(ids)
        and not several
        and not off
        and not followed
        and not after
        and len(gone.received) == EACH,
    )


@row(
    "R53",
    title=f"SIGKILL ×{KILLS} after a callback was sent, before it is marked",
    promise="at least once, under the same id",
    target="lost 0, doubles only under an equal id",
    limit=400,
)
def killed_after_sending(system: System, dice: Dice) -> Measured:
    """Kill workers whose callbacks were accepted and whose finish stands still."""
    kills = 20 if system.quick else KILLS
    crashed: set[uuid.UUID] = set()
    with receiver() as one:
        while len(crashed) < kills:
            crashed |= _sent_and_killed(system, one)
        start_senders(system, processes=2)
        wait_until_told(system)
        ids = _ids_by_task([one])
        sent = len(one.received)
    several = sum(len(found) != 1 for found in ids.values())
    accepted = len(system.accepted.ids())
    return Measured(
        f"{len(crashed)} callbacks whose worker died when they had been accepted: {sent} requests "
        f"for {accepted} callbacks, {several} under more than one webhook-id, "
        f"lost {accepted - len(ids)}; {count_callbacks(Status.COMPLETED)} completed",
        met=not several and len(ids) == accepted == count_callbacks(Status.COMPLETED),
    )


def _until_failed(system: System, count: int, *, times: int) -> None:
    """Wait until so many callbacks have failed so often, each attempt brought forward once."""

    def failed() -> bool:
        attempts = Attempt.objects.filter(task__kind=KIND, outcome="failed")
        found = Counter(attempts.values_list("task_id", flat=True))
        return sum(one >= times for one in found.values()) >= count

    make_all_due(system.queries, kind=KIND)

    # Those that only waited, for a line or put off, are not counted: they are due again and again.
    def brought_forward() -> bool:
        _bring_engaged_forward(system)
        return failed()

    wait_until(brought_forward, within=120, what=f"{times} failures each")


def _bring_engaged_forward(system: System) -> None:
    system.queries.rows(
        "UPDATE procrastinate_jobs AS job SET scheduled_at = clock_timestamp()"
        " FROM tasks_task AS task"
        " WHERE task.job_id = job.id AND task.kind = %(kind)s AND job.status = 'todo'"
        " AND job.scheduled_at > clock_timestamp() AND 'failed' IS DISTINCT FROM ("
        "   SELECT outcome FROM tasks_attempt WHERE task_id = task.id ORDER BY id DESC LIMIT 1)",
        {"kind": KIND},
    )


def _off_schedule() -> int:
    """Count the callbacks whose next attempt is not when the schedule wants it."""
    off = 0
    waiting = Task.objects.filter(kind=KIND, status=Status.PENDING, attempt__gt=0)
    for task in waiting:
        last = task.attempts.filter(outcome="failed").latest("claim_number")
        assert last.finished_at is not None
        assert task.scheduled_at is not None
        pause, wanted = (
            (task.scheduled_at - last.finished_at).total_seconds(),
            PAUSES[last.number - 1],
        )
        off += not wanted - 0.5 <= pause <= wanted * 1.1 + 0.5
    return off


def _ids_by_task(receivers: Iterable[Receiver]) -> dict[str, set[str]]:
    """Return the webhook-ids under which each task's end was told."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in receivers:
        for came in one.received:
            found[came.message["data"]["task_id"]].add(came.id)
    return found


def _sent_and_killed(system: System, one: Receiver) -> set[uuid.UUID]:
    """Kill workers between the answers to their callbacks and the finish of these."""
    lifecycle.pause_queue("callbacks")
    tell(system, one.url("/200"), WAVE)
    victims = start_senders(system, concurrency=2 * WAVE)
    wait_until(lambda: count_callbacks(Status.PENDING) >= WAVE, what="all to be told")
    came = len(one.received)
    with _finishes_held(system) as held:
        lifecycle.resume_queue("callbacks")
        wait_until(lambda: len(one.received) >= came + WAVE, within=60, what="all sent")
        blocked = wait_until_blocked(system, "worker finish", 1)
        kill_all(victims)
        cut_off(system, blocked)
        held.rollback()
    processing = Task.objects.filter(kind=KIND, status=Status.PROCESSING)
    return set(processing.values_list("pk", flat=True))


@contextmanager
def _finishes_held(system: System) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Hold the table that every finish writes to, and no claim."""
    with psycopg.connect(system.server.url) as session:
        session.execute("LOCK TABLE tasks_attempt IN SHARE MODE")
        yield session
