"""Why a task waits: what holds it back, its place in line, and an estimate from measured pace."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, LiteralString

from django.conf import settings
from django.db import transaction
from django.db.models import TextChoices
from django.utils import timezone

from tasks import sql
from tasks.models import Dependency, Limit, Queue, Status, Task
from tasks.postgres.planner import plan_row_by_row
from tasks.stats.pace import pace

# A place beyond this is not counted: callers ask again and again, and each time it is read anew.
PLACE_LIMIT = 1_000
# How many tasks are named for which one waits.
NAMED = 5


class Reason(TextChoices):
    """What a task waits for."""

    DUE = "due"
    SCHEDULED = "scheduled"
    BACKOFF = "backoff"
    DEPENDENCIES = "dependencies"
    PAUSED = "paused"
    LIMIT = "limit"
    NO_WORKER = "no_worker"


_SENTENCES: dict[str, str] = {
    Reason.DUE: "Waiting for a worker.",
    Reason.SCHEDULED: "Waiting for its time.",
    Reason.BACKOFF: "The last attempt failed; the next one comes later.",
    Reason.DEPENDENCIES: "Waiting for other tasks.",
    Reason.PAUSED: "Its queue is paused.",
    Reason.LIMIT: "A limit is reached.",
    Reason.NO_WORKER: "No worker serves it.",
}


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Why a task waits. `place` is 1 for the next one, `eta_s` the seconds until it may start.

    Both are None where they are not known.
    """

    reason: str
    place: int | None = None
    eta_s: float | None = None
    detail: str = ""

    @property
    def sentence(self) -> str:
        """Return the reason as people read it, without place and estimate."""
        return self.detail or _SENTENCES[self.reason]

    def document(self) -> dict[str, Any]:
        """Return the JSON object that the API shows."""
        return asdict(self)


_SAME_INPUT = "Another task works on the same input; if it succeeds, this one gets its result."

# The columns of a task that `waiting_reason` reads.
READ = ("status", "attempt", "max_attempts", "scheduled_at", "queue", "kind", "job_id")

# The job of a task, and whether any living worker may claim it.
_JOB: LiteralString = """
    SELECT
        job.id, job.tasks_line, job.scheduled_at IS NULL, job.priority, job.tasks_turn,
        EXISTS (
            SELECT FROM tasks_worker
            WHERE state <> 'lost'
                AND heartbeat_at > statement_timestamp() - %(lease)s * interval '1 second'
                AND (queues = '{}' OR %(queue)s = ANY (queues))
                AND (kinds IS NULL OR %(kind)s = ANY (kinds))
        )
    FROM procrastinate_jobs AS job
    WHERE job.id = %(job)s
"""
# How many jobs of the same lane of the queue are claimed earlier.
_BEFORE: LiteralString = """
    SELECT count(*) FROM (
        SELECT FROM (SELECT %(tried)s AS tried OFFSET 0) AS lane
        CROSS JOIN LATERAL (
            SELECT priority, tasks_turn, id FROM procrastinate_jobs
            WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
                AND queue_name = %(queue)s AND (attempts > 0) = lane.tried
            ORDER BY priority DESC, tasks_turn, id
            LIMIT %(limit)s
        ) AS job
        WHERE (-priority, tasks_turn, id) < (-%(priority)s, %(turn)s, %(job)s)
    ) AS before
"""
# The line of a blocked job and what blocks it; how many come earlier. Lines of one priority take
# turns, so of each other line as many as of the own one.
_BLOCKED: LiteralString = """
    WITH own AS (
        SELECT line.*, (
            SELECT count(*) FROM (
                SELECT FROM procrastinate_jobs
                WHERE tasks_line = line.id AND tasks_line > 0
                    AND ((attempts = 0 OR tasks_turn > 0), id) < (%(later)s, %(job)s)
                LIMIT %(limit)s
            ) AS earlier
        ) AS earlier
        FROM tasks_line AS line
        WHERE line.id = %(line)s
    )
    SELECT own.blocked_at, own.earlier + (
        SELECT count(*) FROM (
            SELECT
            FROM tasks_line AS other
            CROSS JOIN LATERAL (
                SELECT FROM procrastinate_jobs
                WHERE tasks_line = other.id AND tasks_line > 0
                LIMIT CASE WHEN other.priority > own.priority
                    THEN %(limit)s
                    ELSE own.earlier + (other.served < own.served)::integer
                END
            ) AS job
            WHERE other.blocked_at = own.blocked_at AND other.priority >= own.priority
                AND other.id <> own.id
            LIMIT %(limit)s
        ) AS of_other_lines
    )
    FROM own
"""
# How many tasks have a permit, since when the oldest of them runs, and how the rate stands.
_USE: LiteralString = """
    SELECT
        count(permit.id),
        extract(epoch FROM statement_timestamp() - min(task.started_at))::float,
        greatest(0, tasks_owed(%(key)s)), rule.spacing, rule.burst
    FROM tasks_limit_in_force(%(key)s) AS rule
    LEFT JOIN tasks_permit AS permit ON permit.key = %(key)s AND permit.released_at IS NULL
    LEFT JOIN tasks_task AS task ON task.id = permit.task_id AND task.status = 'PROCESSING'
    GROUP BY rule.spacing, rule.burst
"""


def waiting_reason(task: Task, *, to_operator: bool = False) -> Waiting | None:
    """Return why a task waits, None for one that does not; names persons only to operators."""
    if task.status != Status.PENDING:
        return None
    now = timezone.now()
    if task.waits_for_others:
        return _after_others(task)
    if task.scheduled_at and task.scheduled_at > now:
        return _later(task, (task.scheduled_at - now).total_seconds())
    queue = Queue.objects.filter(pk=task.queue, paused=True).first()
    if queue:
        return Waiting(
            reason=Reason.PAUSED, detail=_pause(f"The queue {queue.name}", queue, to_operator)
        )
    params = {
        "job": task.job_id,
        "queue": task.queue,
        "kind": task.kind,
        "lease": settings.LEASE_SECONDS,
    }
    # No row when it was claimed since, or its job was lost by hand.
    for job_id, line, is_ready, priority, turn, has_worker in sql.run(_JOB, params):
        if line:
            return _blocked(task, job_id, line, turn=turn, to_operator=to_operator)
        if not has_worker:
            return Waiting(
                reason=Reason.NO_WORKER,
                detail=f"No worker runs that serves the queue {task.queue} and knows the kind"
                f" {task.kind}.",
            )
        if is_ready:
            return _due(task, job_id, priority=priority, turn=turn)
    return Waiting(reason=Reason.DUE)


def expected_reason(task: Task) -> Waiting | None:
    """Return why a task waits that was just queued, as far as its own values say."""
    if task.status != Status.PENDING:
        return None
    if task.waits_for_others:
        return Waiting(reason=Reason.DEPENDENCIES)
    if task.scheduled_at and (left := (task.scheduled_at - timezone.now()).total_seconds()) > 0:
        return _later(task, left)
    return Waiting(reason=Reason.DUE)


def _after_others(task: Task) -> Waiting:
    """Return for which others a task waits; a task that has failed is to be retried first."""
    unmet = Dependency.objects.filter(task_id=task.pk, met=False)
    on_ids = list(unmet.values_list("on_id", flat=True)[: NAMED + 1])
    rows = Task.objects.filter(pk__in=on_ids).order_by("id").values_list("node", "id", "status")
    named = [
        f"{node or id}, which has failed" if status == Status.FAILED else str(node or id)
        for node, id, status in rows[:NAMED]
    ]
    if not named:
        return Waiting(reason=Reason.DEPENDENCIES, detail="Waiting for the end of a batch.")
    more = " and others" if len(on_ids) > NAMED else ""
    return Waiting(reason=Reason.DEPENDENCIES, detail=f"Waiting for {', '.join(named)}{more}.")


def _later(task: Task, seconds: float) -> Waiting:
    eta = round(seconds, 1)
    if task.attempt:
        return Waiting(
            reason=Reason.BACKOFF,
            eta_s=eta,
            detail=f"Attempt {task.attempt} of {task.max_attempts} failed.",
        )
    return Waiting(reason=Reason.SCHEDULED, eta_s=eta)


def _due(task: Task, job_id: int, *, priority: int, turn: int) -> Waiting:
    params = {
        "tried": task.attempt > 0,
        "queue": task.queue,
        "priority": priority,
        "turn": turn,
        "job": job_id,
        "limit": PLACE_LIMIT,
    }
    with transaction.atomic():
        plan_row_by_row()
        ((before,),) = sql.run(_BEFORE, params)
    if before >= PLACE_LIMIT:
        return Waiting(reason=Reason.DUE)
    seconds = pace().seconds_a_task(task.queue)
    eta = None if seconds is None else (before + 1) * seconds
    return Waiting(reason=Reason.DUE, place=before + 1, eta_s=_rounded(eta))


def _blocked(task: Task, job_id: int, line: int, *, turn: int, to_operator: bool) -> Waiting:
    # As in the index of the line.
    later = task.attempt == 0 or turn > 0
    params = {"job": job_id, "line": line, "later": later, "limit": PLACE_LIMIT}
    rows = sql.run(_BLOCKED, params)
    if not rows:
        return Waiting(reason=Reason.LIMIT)
    ((blocked_at, before),) = rows
    if blocked_at.startswith("cache "):
        return Waiting(reason=Reason.LIMIT, detail=_SAME_INPUT)
    place = int(before) + 1 if before < PLACE_LIMIT else None
    limit, value = _limit_of(blocked_at)
    if limit is None:
        return Waiting(reason=Reason.DUE, place=place)
    general = limit.parent or limit
    subject = _subject(general, value)
    for rule in (general, limit):
        if rule.paused:
            named = f"The limit of {subject}"
            return Waiting(reason=Reason.LIMIT, detail=_pause(named, rule, to_operator))
    concurrent = limit.concurrent or general.concurrent
    rate = limit.per_period or general.per_period
    ((held, oldest, owed, spacing, burst),) = sql.run(_USE, {"key": blocked_at})
    eta = None
    if general.ordered:
        detail = f"One task after another for {subject}; the one before has not ended."
        eta = _when_others_end(place, 1, oldest=oldest, run=pace().run_seconds(task.kind))
    elif concurrent and held >= concurrent:
        detail = f"{held} of {concurrent} running for {subject}."
        eta = _when_others_end(place, concurrent, oldest=oldest, run=pace().run_seconds(task.kind))
    elif rate:
        detail = f"At most {rate} may start for {subject}."
        eta = max(0.0, owed - burst + place) * spacing if place else None
    else:
        detail = f"The limit of {subject} is reached."
    return Waiting(reason=Reason.LIMIT, place=place, eta_s=_rounded(eta), detail=detail)


def _when_others_end(
    place: int | None, concurrent: int, *, oldest: float | None, run: float | None
) -> float | None:
    """Return in how many seconds the task at a place may start, if those before run as usual.

    None if the oldest of those that run has taken much longer than usual already.
    """
    if place is None or run is None or oldest is None or oldest > 2 * run:
        return None
    return max(0.0, run - oldest) + (math.ceil(place / concurrent) - 1) * run


def _limit_of(key: str) -> tuple[Limit | None, str]:
    """Return the rule for a key, the exception if there is one, and the key's value."""
    if key.startswith("queue "):
        return None, ""
    general_id, _, value = key.partition(":")
    general = Limit.objects.filter(pk=general_id).first()
    if general is None:
        return None, value
    exception = general.exceptions.filter(value=value).select_related("parent").first()
    return (exception if general.has_values and exception else general), value


def _subject(limit: Limit, value: str) -> str:
    """Return what a limit counts together, as it is named in a sentence."""
    match limit.scope:
        case "queue":
            return f"the queue {limit.name}"
        case "kind":
            return f"the kind {limit.name}"
        case "owner":
            return "this owner"
        case _:
            return f"{limit.path} {value}" if value else f"tasks without {limit.path}"


def _pause(subject: str, paused: Queue | Limit, to_operator: bool) -> str:
    since = f" since {paused.paused_at:%Y-%m-%d %H:%M} UTC" if paused.paused_at else ""
    by = f" by {paused.paused_by}" if to_operator and paused.paused_by else ""
    reason = f": {paused.paused_reason}" if paused.paused_reason else "."
    return f"{subject[:1].upper()}{subject[1:]} has been paused{since}{by}{reason}"


def _rounded(seconds: float | None) -> float | None:
    """Return an estimate without digits that it does not have."""
    if seconds is None:
        return None
    return round(seconds, 1) if seconds < 10 else float(round(seconds))
