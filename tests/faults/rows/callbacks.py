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
    submit_with_callback,
    wait_until_callbacks_end,
)
from tests.faults.harness.delays import make_all_due
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.standstill import cut_off, kill_all, wait_until_blocked
from tests.faults.harness.system import System
from tests.waiting import wait_until

EACH = 20
ROUNDS = 3
# How a receiver can fail: a path, or the head of an answer. Each has its own receiver.
PATHS = ("/500", "/silent", "/drip", "/reset")
HEADS = ("429 Busy\nRetry-After: 1", "301 Elsewhere\nLocation: /200")
KILLS = 50
WAVE = 10


@row(
    "R52",
    title=f"receivers answer 500, 429, 301, 410, nothing, byte by byte, or reset, {ROUNDS} times",
    promise="retries keep the schedule, redirects are not followed, 410 ends the callback",
    target="≥ 1 delivery each under one webhook-id, 0 after 410",
    limit=400,
)
def bad_receivers(system: System, dice: Dice) -> Measured:
    """Let every kind of receiver fail several times, then accept; check all requests that came."""
    rounds = 1 if system.quick else ROUNDS
    with ExitStack() as running:
        bad = _start_bad_receivers(running)
        gone = running.enter_context(receiver())
        ids = [
            id
            for bad_receiver, path in bad
            for id in submit_with_callback(system, bad_receiver.url(path), EACH)
        ]
        gone_ids = submit_with_callback(system, gone.url("/410"), EACH)
        start_senders(system, processes=2)
        for number in range(1, rounds + 1):
            _until_failed(system, len(ids), times=number)
        off = _off_schedule()
        for bad_receiver, _ in bad:
            _let_accept(bad_receiver, ids)
        wait_until_callbacks_end(system)
        requests = [request for bad_receiver, _ in bad for request in bad_receiver.received]
        webhook_ids = _ids_by_task([bad_receiver for bad_receiver, _ in bad])
        delivered = count_callbacks(Status.COMPLETED)
        after = len(gone.received) - len({request.id for request in gone.received})
    followed = sum(request.path == "/200" for request in requests)
    several = sum(len(used) != 1 for used in webhook_ids.values())
    return Measured(
        f"{delivered} of {len(ids)} delivered after {rounds} failures each, {several} of "
        f"{len(webhook_ids)} under more than one webhook-id; {off} pauses off the schedule; "
        f"redirects followed {followed}; {len(gone_ids)} to one that is gone: "
        f"{len(gone.received)} sent, {after} after its 410",
        met=delivered == len(ids) == len(webhook_ids)
        and (several, off, followed, after) == (0, 0, 0, 0)
        and len(gone.received) == EACH,
    )


@row(
    "R53",
    title=f"SIGKILL ×{KILLS} after a callback was sent, before it is recorded",
    promise="at least once, under the same id",
    target="lost 0, duplicates only under the same id",
    limit=400,
)
def killed_after_sending(system: System, dice: Dice) -> Measured:
    """Kill workers after their callbacks were accepted, while the finish waits for a lock."""
    kills = 20 if system.quick else KILLS
    crashed: set[uuid.UUID] = set()
    with receiver() as target:
        while len(crashed) < kills:
            crashed |= _sent_and_killed(system, target)
        start_senders(system, processes=2)
        wait_until_callbacks_end(system)
        webhook_ids = _ids_by_task([target])
        sent = len(target.received)
    several = sum(len(used) != 1 for used in webhook_ids.values())
    accepted = len(system.accepted.ids())
    return Measured(
        f"{len(crashed)} callbacks with a worker that died after they were accepted: {sent} "
        f"requests for {accepted} callbacks, {several} under more than one webhook-id, "
        f"lost {accepted - len(webhook_ids)}; {count_callbacks(Status.COMPLETED)} completed",
        met=not several and len(webhook_ids) == accepted == count_callbacks(Status.COMPLETED),
    )


def _start_bad_receivers(running: ExitStack) -> list[tuple[Receiver, str]]:
    """Start a receiver for each way to fail; return them with the path to call."""
    bad = [(running.enter_context(receiver()), path) for path in PATHS]
    for head in HEADS:
        bad.append((running.enter_context(receiver()), "/"))
        bad[-1][0].answers = [head]
    return bad


def _let_accept(bad_receiver: Receiver, ids: Iterable[uuid.UUID]) -> None:
    """Make a receiver accept the callbacks of these tasks from now on."""
    bad_receiver.answers = ["200 Yes"]
    tasks = Task.objects.filter(pk__in=ids, callback_url__startswith=bad_receiver.url(""))
    tasks.update(callback_url=bad_receiver.url("/"))


def _until_failed(system: System, count: int, *, times: int) -> None:
    """Wait until `count` callbacks have failed `times` times; make each retry due at once."""

    def failed() -> bool:
        attempts = Attempt.objects.filter(task__kind=KIND, outcome="failed")
        failures = Counter(attempts.values_list("task_id", flat=True))
        return sum(number >= times for number in failures.values()) >= count

    make_all_due(system.queries, kind=KIND)

    # Attempts that were only postponed are not failures: they are made due again each time.
    def failed_or_made_due() -> bool:
        _make_postponed_due(system)
        return failed()

    wait_until(failed_or_made_due, within=120, what=f"{times} failures each")


def _make_postponed_due(system: System) -> None:
    system.queries.rows(
        "UPDATE procrastinate_jobs AS job SET scheduled_at = clock_timestamp()"
        " FROM tasks_task AS task"
        " WHERE task.job_id = job.id AND task.kind = %(kind)s AND job.status = 'todo'"
        " AND job.scheduled_at > clock_timestamp() AND 'failed' IS DISTINCT FROM ("
        "   SELECT outcome FROM tasks_attempt WHERE task_id = task.id ORDER BY id DESC LIMIT 1)",
        {"kind": KIND},
    )


def _off_schedule() -> int:
    """Count the callbacks with a next attempt at another time than the schedule's."""
    off = 0
    waiting = Task.objects.filter(kind=KIND, status=Status.PENDING, attempt__gt=0)
    for task in waiting:
        last = task.attempts.filter(outcome="failed").latest("claim_number")
        assert last.finished_at is not None
        assert task.scheduled_at is not None
        pause = (task.scheduled_at - last.finished_at).total_seconds()
        planned = PAUSES[last.number - 1]
        off += not planned - 0.5 <= pause <= planned * 1.1 + 0.5
    return off


def _ids_by_task(receivers: Iterable[Receiver]) -> dict[str, set[str]]:
    """Return the webhook-ids that were used for each task."""
    ids: dict[str, set[str]] = defaultdict(set)
    for target in receivers:
        for request in target.received:
            ids[request.message["data"]["task_id"]].add(request.id)
    return ids


def _sent_and_killed(system: System, target: Receiver) -> set[uuid.UUID]:
    """Kill workers after their callbacks were answered and before their finish."""
    lifecycle.pause_queue("callbacks")
    submit_with_callback(system, target.url("/200"), WAVE)
    victims = start_senders(system, concurrency=2 * WAVE)
    wait_until(lambda: count_callbacks(Status.PENDING) >= WAVE, what="all callbacks submitted")
    received = len(target.received)
    with _finishes_held(system) as held:
        lifecycle.resume_queue("callbacks")
        wait_until(lambda: len(target.received) >= received + WAVE, within=60, what="all sent")
        blocked = wait_until_blocked(system, "worker finish", 1)
        kill_all(victims)
        cut_off(system, blocked)
        held.rollback()
    processing = Task.objects.filter(kind=KIND, status=Status.PROCESSING)
    return set(processing.values_list("pk", flat=True))


@contextmanager
def _finishes_held(system: System) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Lock the table that every finish writes to and no claim does."""
    with psycopg.connect(system.server.url) as session:
        session.execute("LOCK TABLE tasks_attempt IN SHARE MODE")
        yield session
