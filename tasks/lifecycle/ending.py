"""Endings of attempts: values that state what `finish.sql` writes."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson

from tasks.correlation import Cause
from tasks.delays import checked_seconds
from tasks.error_text import detail_of, traceback_of
from tasks.kinds import Kind
from tasks.kinds.exceptions import (
    Cancel,
    Crashed,
    FatalError,
    Interrupted,
    Retry,
    Snooze,
    SoftTimeLimitExceeded,
)
from tasks.lifecycle.documents import error_json, result_json
from tasks.models import Outcome, Status
from tasks.postgres.text import array_text
from tasks.submission import Owned, Submission

log = logging.getLogger(__name__)

# A task during which processes died so often fails: it probably kills them.
DEATHS_LIMIT = 3
# Seconds until an attempt is repeated that ended in a way that nothing explains.
_UNEXPLAINED_PAUSE = 10.0
# Exceptions with a text that is meant for the client.
_DELIBERATE = (FatalError, Retry, SoftTimeLimitExceeded)
_TRACEBACK_LIMIT = 20_000
# Not in the history: the attempt never started.
RELEASED = "released"

# The fence: a task and the number of its claim.
ClaimKey = tuple[uuid.UUID, int]


class Claim(NamedTuple):
    """A task that this worker may run, in the order of a row of `claim.sql` and `held.sql`."""

    id: uuid.UUID
    job_id: int
    kind: str
    queue: str
    owner_id: int | None
    input: dict[str, Any]
    attempt: int
    max_attempts: int
    claim_number: int
    # How often a process died while it ran the task: the worker's or the task's own.
    deaths: int = 0
    # Seconds from when the task was due to the claim.
    waited: float = 0.0
    # The request that caused the task.
    request_id: str = ""
    traceparent: str = ""

    @property
    def key(self) -> ClaimKey:
        return self.id, self.claim_number

    @property
    def cause(self) -> Cause:
        return Cause(self.request_id, self.traceparent)

    def log_fields(self) -> dict[str, Any]:
        """Return what each log line of the attempt says."""
        return {
            "task_id": str(self.id),
            "kind": self.kind,
            "queue": self.queue,
            "attempt": self.attempt,
            **self.cause.log_fields(),
        }


@dataclass(kw_only=True)
class Ending:
    """The end of one attempt; result, error and traceback are JSON, `delay` is in seconds."""

    claim: Claim
    status: Status
    outcome: str
    result: bytes | None = None
    error: bytes | None = None
    traceback: bytes | None = None
    delay: float = 0.0
    refund: int = 0
    follow_ups: tuple[Submission, ...] = ()
    # Those that became tasks: others repeat a request, or a unique task that exists.
    submitted: tuple[Submission, ...] = ()
    # Whether the handler's own transaction has written it already.
    recorded: bool = False
    # For the log: the error's text, also where clients do not see it; seconds that it ran.
    detail: str = ""
    ran: float = 0.0
    # Bytes of its documents.
    size: int = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.result or b"") + len(self.error or b"") + len(self.traceback or b"")
        for new in self.follow_ups:
            size += len(new.input) + len(new.metadata)
        self.size = size


def completed(claim: Claim, result: Any, follow_ups: Sequence[Submission] = ()) -> Ending:
    """End with a result; raise FatalError when it cannot be stored as JSON."""
    return Ending(
        claim=claim,
        status=Status.COMPLETED,
        outcome=Outcome.COMPLETED,
        result=result_json({} if result is None else result),
        follow_ups=tuple(follow_ups),
    )


def raised(claim: Claim, kind: Kind, error: BaseException) -> Ending:
    """End as the exception determines: snooze, release, cancel, fail, or retry.

    An exception that states something impossible, such as a changed delay, fails the attempt; so
    does one for which the kind's own function fails.
    """
    try:
        return _determined(claim, kind, error)
    except Exception as defect:
        return _determined(claim, _without_rules(kind), defect)


def _determined(claim: Claim, kind: Kind, error: BaseException) -> Ending:
    match error:
        case Snooze():
            return _again(claim, Outcome.SNOOZED, delay=checked_seconds(error.delay))
        case Interrupted():
            return interrupted(claim)
        case Cancel():
            return Ending(
                claim=claim,
                status=Status.CANCELLED,
                outcome=Outcome.CANCELLED,
                error=error_json(error),
            )
    given = error.delay if isinstance(error, Retry) else None
    delay = None if given is None else checked_seconds(given)
    is_public = kind.public_errors or isinstance(error, _DELIBERATE)
    ending = _failure(claim, kind, Outcome.FAILED, error, delay=delay, is_public=is_public)
    traceback = traceback_of(error)[-_TRACEBACK_LIMIT:]
    return replace(ending, traceback=orjson.dumps(traceback))


def unexplained(claim: Claim) -> Ending:
    """Fail an attempt of which no ending is known: it counts, and is repeated after a pause."""
    is_last = claim.attempt >= claim.max_attempts
    error = Crashed("The worker could not record how the attempt ended; see the worker's log.")
    return Ending(
        claim=claim,
        status=Status.FAILED if is_last else Status.PENDING,
        outcome=Outcome.FAILED,
        error=error_json(error),
        delay=0.0 if is_last else _UNEXPLAINED_PAUSE,
        detail=str(error),
    )


def timed_out(claim: Claim, kind: Kind) -> Ending:
    """End an attempt that ran past its hard limit."""
    error = TimeoutError(f"Ran longer than its hard time limit of {kind.time_limit:g} s.")
    return _fails(claim, kind, Outcome.TIMED_OUT, error)


def crashed(claim: Claim, kind: Kind, how: str) -> Ending:
    """End an attempt whose own process died; at the third death the task fails."""
    error = Crashed(f"The process that ran this task died: {how}.")
    return _fails(claim, kind, Outcome.CRASHED, error, is_last=claim.deaths + 1 >= DEATHS_LIMIT)


def interrupted(claim: Claim) -> Ending:
    """Release a task that was running when the worker had to stop; no attempt is used."""
    return _again(claim, Outcome.INTERRUPTED)


def released(claim: Claim) -> Ending:
    """Release a claimed task that was never started; no attempt is used."""
    return _again(claim, RELEASED)


def unstorable(ending: Ending, error: Exception) -> Ending:
    """Fail an attempt whose ending the database refused."""
    refused = FatalError(f"The result cannot be stored: {detail_of(error)}")
    return Ending(
        claim=ending.claim,
        status=Status.FAILED,
        outcome=Outcome.FAILED,
        error=error_json(refused),
        detail=str(refused),
        ran=ending.ran,
    )


def parameters(endings: Sequence[Ending], *, worker: str) -> dict[str, Any]:
    """Return the parameters of `finish.sql`: one array or joined text per column."""
    return {
        "worker": worker,
        "task_ids": array_text([ending.claim.id.hex for ending in endings]),
        "claim_numbers": array_text([str(ending.claim.claim_number) for ending in endings]),
        "statuses": array_text([ending.status for ending in endings]),
        "outcomes": array_text([ending.outcome for ending in endings]),
        # An empty text means none.
        "results": _joined(ending.result or b"" for ending in endings),
        "errors": _joined(ending.error or b"" for ending in endings),
        "tracebacks": _joined(ending.traceback or b"" for ending in endings),
        "delays": array_text([str(ending.delay) for ending in endings]),
        "refunds": array_text([str(ending.refund) for ending in endings]),
    }


def follow_ups(endings: Iterable[Ending]) -> list[Owned]:
    """Return the tasks that these attempts submitted, with the owners of the attempts."""
    return [
        Owned(replace(new, parent_id=ending.claim.id), ending.claim.owner_id)
        for ending in endings
        for new in ending.follow_ups
    ]


def note_submitted(endings: Iterable[Ending], ids: Container[uuid.UUID]) -> None:
    """Keep which follow-ups became tasks."""
    for ending in endings:
        ending.submitted = tuple(new for new in ending.follow_ups if new.id in ids)


def _joined(documents: Iterable[bytes]) -> str:
    """Join JSON documents with a character that JSON never contains unescaped.

    PostgreSQL splits them again; quoting each as an array's element would cost far more.
    """
    return b"\x1f".join(documents).decode()


def _again(claim: Claim, outcome: str, *, delay: float = 0.0) -> Ending:
    """Queue the task again without using an attempt."""
    return Ending(claim=claim, status=Status.PENDING, outcome=outcome, delay=delay, refund=1)


def _failure(
    claim: Claim,
    kind: Kind,
    outcome: str,
    error: BaseException,
    *,
    is_last: bool = False,
    delay: float | None = None,
    is_public: bool = True,
) -> Ending:
    """Fail the attempt; the task too if it `is_last`, or the kind allows no other after this error.

    Raises what the kind's own function raises.
    """
    # A handler that requests a retry has decided.
    policy = kind.retry if isinstance(error, Retry) else kind.policy_for(error)
    is_last = is_last or claim.attempt >= claim.max_attempts or isinstance(error, FatalError)
    if policy is None or is_last or claim.attempt > policy.max_retries:
        status, delay = Status.FAILED, 0.0
    else:
        status = Status.PENDING
        delay = policy.next_delay(claim.attempt) if delay is None else delay
    return Ending(
        claim=claim,
        status=status,
        outcome=outcome,
        error=error_json(error, is_public=is_public),
        delay=delay,
        detail=detail_of(error),
    )


def _fails(
    claim: Claim, kind: Kind, outcome: str, error: BaseException, *, is_last: bool = False
) -> Ending:
    """Fail an attempt that the worker ended; without the kind's own rules if they fail."""
    try:
        return _failure(claim, kind, outcome, error, is_last=is_last)
    except Exception:
        log.exception(
            "the kind's retry_on failed; its policy `retry` is used instead",
            extra={"task_id": str(claim.id), "kind": kind.name},
        )
        return _failure(claim, _without_rules(kind), outcome, error, is_last=is_last)


def _without_rules(kind: Kind) -> Kind:
    return replace(kind, retry_on={}, never_on=())
