"""Endings of attempts: values that state what `finish.sql` writes."""

from __future__ import annotations

import traceback as tracebacks
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tasks.kinds import Kind
from tasks.kinds.exceptions import Cancel, Crashed, FatalError, Interrupted, Retry, Snooze
from tasks.models import Outcome, Status
from tasks.postgres.text import storable
from tasks.submission import Owned, Submission

# A task during which processes died so often fails: it probably kills them.
DEATHS_LIMIT = 3
_DETAIL_LIMIT = 2_000
_TRACEBACK_LIMIT = 20_000
# Not in the history: the attempt never started.
RELEASED = "released"

# The fence: a task and the number of its claim.
ClaimKey = tuple[uuid.UUID, int]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A task that this worker may run, as `claim.sql` returned it."""

    id: uuid.UUID
    job_id: int
    kind: str
    owner_id: int | None
    input: dict[str, Any]
    attempt: int
    max_attempts: int
    claim_number: int
    # How often a process died while it ran the task: the worker's or the task's own.
    deaths: int = 0

    @property
    def key(self) -> ClaimKey:
        return self.id, self.claim_number


@dataclass(frozen=True, kw_only=True)
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
    # Whether the handler's own transaction has written it already.
    recorded: bool = False


def completed(claim: Claim, result: Any, follow_ups: Sequence[Submission] = ()) -> Ending:
    """End with a result; raise FatalError when it cannot be stored as JSON."""
    return Ending(
        claim=claim,
        status=Status.COMPLETED,
        outcome=Outcome.COMPLETED,
        result=_result_json({} if result is None else result),
        follow_ups=tuple(follow_ups),
    )


def raised(claim: Claim, kind: Kind, error: BaseException) -> Ending:
    """End as the exception determines: snooze, release, cancel, fail, or retry."""
    match error:
        case Snooze():
            return _again(claim, Outcome.SNOOZED, delay=error.delay)
        case Interrupted():
            return interrupted(claim)
        case Cancel():
            return Ending(
                claim=claim,
                status=Status.CANCELLED,
                outcome=Outcome.CANCELLED,
                error=_error_json(error),
            )
    fatal = isinstance(error, FatalError) or claim.attempt >= claim.max_attempts
    delay = error.delay if isinstance(error, Retry) else None
    ending = _fails(claim, kind, Outcome.FAILED, error, fatal=fatal, delay=delay)
    return replace(ending, traceback=_traceback(error))


def timed_out(claim: Claim, kind: Kind) -> Ending:
    """End an attempt that ran past its hard limit."""
    error = TimeoutError(f"Ran longer than its hard time limit of {kind.time_limit:g} s.")
    fatal = claim.attempt >= claim.max_attempts
    return _fails(claim, kind, Outcome.TIMED_OUT, error, fatal=fatal)


def crashed(claim: Claim, kind: Kind, how: str) -> Ending:
    """End an attempt whose own process died; at the third death the task fails."""
    error = Crashed(f"The process that ran this task died: {how}.")
    fatal = claim.deaths + 1 >= DEATHS_LIMIT or claim.attempt >= claim.max_attempts
    return _fails(claim, kind, Outcome.CRASHED, error, fatal=fatal)


def interrupted(claim: Claim) -> Ending:
    """Release a task that was running when the worker had to stop; no attempt is used."""
    return _again(claim, Outcome.INTERRUPTED)


def released(claim: Claim) -> Ending:
    """Release a claimed task that was never started; no attempt is used."""
    return _again(claim, RELEASED)


def unstorable(ending: Ending, error: Exception) -> Ending:
    """Fail an attempt whose result the database refused."""
    refused = FatalError(f"The result cannot be stored: {error}")
    return Ending(
        claim=ending.claim,
        status=Status.FAILED,
        outcome=Outcome.FAILED,
        error=_error_json(refused),
    )


def parameters(endings: Sequence[Ending], *, worker: str) -> dict[str, Any]:
    """Return the parameters of `finish.sql`: one array or joined text per column."""
    return {
        "worker": worker,
        "task_ids": [ending.claim.id for ending in endings],
        "job_ids": [ending.claim.job_id for ending in endings],
        "claim_numbers": [ending.claim.claim_number for ending in endings],
        "statuses": [str(ending.status) for ending in endings],
        "outcomes": [str(ending.outcome) for ending in endings],
        # An empty text means none.
        "results": _joined(ending.result or b"" for ending in endings),
        "errors": _joined(ending.error or b"" for ending in endings),
        "tracebacks": _joined(ending.traceback or b"" for ending in endings),
        "delays": [ending.delay for ending in endings],
        "refunds": [ending.refund for ending in endings],
    }


def follow_ups(endings: Iterable[Ending]) -> list[Owned]:
    """Return the tasks that these attempts submitted, with the owners of the attempts."""
    return [Owned(new, ending.claim.owner_id) for ending in endings for new in ending.follow_ups]


def _joined(documents: Iterable[bytes]) -> str:
    """Join JSON documents with a character that JSON never contains unescaped.

    PostgreSQL splits them again; quoting each as an array's element would cost far more.
    """
    return b"\x1f".join(documents).decode()


def _again(claim: Claim, outcome: str, *, delay: float = 0.0) -> Ending:
    """Queue the task again without using an attempt."""
    return Ending(claim=claim, status=Status.PENDING, outcome=outcome, delay=delay, refund=1)


def _fails(
    claim: Claim,
    kind: Kind,
    outcome: str,
    error: BaseException,
    *,
    fatal: bool,
    delay: float | None = None,
) -> Ending:
    """Fail the attempt, and the task too if `fatal`."""
    if delay is None:
        delay = kind.retry.next_delay(claim.attempt)
    return Ending(
        claim=claim,
        status=Status.FAILED if fatal else Status.PENDING,
        outcome=outcome,
        error=_error_json(error),
        delay=0.0 if fatal else delay,
    )


def _result_json(result: Any) -> bytes:
    try:
        text = orjson.dumps(result, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError) as error:
        raise FatalError(f"The handler's result is not JSON: {error}") from error
    # PostgreSQL's jsonb cannot hold U+0000; one such row would fail the whole statement.
    if b"\\u0000" in text and b"\\u0000" in text.replace(b"\\\\", b""):
        raise FatalError("The handler's result contains a NUL character.")
    return text


def _error_json(error: BaseException) -> bytes:
    name = type(error).__name__
    return orjson.dumps(
        {"type": name, "title": _title(name), "detail": storable(str(error))[-_DETAIL_LIMIT:]}
    )


def _title(name: str) -> str:
    """Turn a class name into words: FatalError → Fatal error."""
    spaced = "".join(f" {char.lower()}" if char.isupper() else char for char in name).strip()
    return spaced[:1].upper() + spaced[1:]


def _traceback(error: BaseException) -> bytes:
    return orjson.dumps(storable("".join(tracebacks.format_exception(error)))[-_TRACEBACK_LIMIT:])
