"""The model of a task: its columns after each move, independent of the SQL statements."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from tasks import kinds
from tasks.kinds import RetryPolicy
from tasks.kinds.exceptions import Cancel, FatalError, Retry, Snooze
from tasks.lifecycle.ending import (
    Claim,
    Ending,
    completed,
    crashed,
    interrupted,
    raised,
    released,
    timed_out,
)
from tasks.models import Outcome, Status
from tasks.models.task import RETRYABLE, TERMINAL

LOSSES = 10
DEATHS = 3
# Longer than an example takes: only the machine's own clock makes a task due again.
LATER = 3600.0


def _kind(claim: Claim) -> kinds.Kind:
    return replace(kinds.get(claim.kind), retry=RetryPolicy(delay=LATER, cap=LATER))


def _as_raised(error: BaseException) -> Callable[[Claim], Ending]:
    return lambda claim: raised(claim, _kind(claim), error)


# Every way in which a worker ends an attempt.
ENDINGS: dict[str, Callable[[Claim], Ending]] = {
    "complete": lambda claim: completed(claim, {"claim_number": claim.claim_number}),
    "fatal": _as_raised(FatalError("requested")),
    "error": _as_raised(ValueError("requested")),
    "retry": _as_raised(Retry(LATER)),
    "snooze": _as_raised(Snooze(LATER)),
    "cancel": _as_raised(Cancel()),
    "interrupt": interrupted,
    "release": released,
    "time out": lambda claim: timed_out(claim, _kind(claim)),
    "crash": lambda claim: crashed(claim, _kind(claim), "SIGSEGV"),
}
_OUTCOMES = {
    "fatal": Outcome.FAILED,
    "error": Outcome.FAILED,
    "retry": Outcome.FAILED,
    "snooze": Outcome.SNOOZED,
    "cancel": Outcome.CANCELLED,
    "interrupt": Outcome.INTERRUPTED,
    "time out": Outcome.TIMED_OUT,
    "crash": Outcome.CRASHED,
}
_UNSPENT = ("snooze", "interrupt", "release")
_AT_ONCE = ("interrupt", "release")


@dataclass
class Known:
    """One task, as its row must be."""

    id: uuid.UUID
    queue: str
    max_attempts: int
    due: bool
    status: Status = Status.PENDING
    attempt: int = 0
    claim_number: int = 0
    losses: int = 0
    crashes: int = 0
    worker_id: int | None = None
    cancel_requested: bool = False
    # What it is unique by, while it is.
    key: tuple[str, str] | None = None
    # Whether it expires when time passes before its first claim; whether it has.
    expires: bool = False
    expired: bool = False
    # Whether it stands under the ordered limit; whether it has had its turn, until it has ended.
    ordered: bool = False
    has_turn: bool = False
    # The task that must complete before it; whether it still waits for that; whether it was
    # cancelled because that did not complete.
    after: uuid.UUID | None = None
    waits: bool = False
    skipped: bool = False
    # Whether it was retried, and waits until somebody has looked whether it may start.
    rechecked: bool = False
    # How it ended last, until what waits for it has noticed.
    last_end: str | None = None
    # The job that it was last seen with; None when it may have any.
    job_id: int | None = None
    # Whether its last move gave it another job, and with it another place in the queue.
    has_new_job: bool = True

    def __post_init__(self) -> None:
        # The ended attempts, oldest first: (claim number, outcome).
        self.history: list[tuple[int, str]] = []

    def row(self) -> tuple[object, ...]:
        """Return the columns that must be stored."""
        return (
            self.status, self.attempt, self.max_attempts, self.claim_number, self.losses,
            self.crashes, self.worker_id, self.cancel_requested, self.key is not None,
        )  # fmt: skip

    def is_held_by(self, claim: Claim) -> bool:
        """Return whether the claim is the task's last and has not ended."""
        return self.status == Status.PROCESSING and self.claim_number == claim.claim_number

    def claimed(self, worker_id: int) -> None:
        """A worker claimed it."""
        self.status, self.worker_id = Status.PROCESSING, worker_id
        if self.key and self.key[1] == "waiting":
            self.key = None
        self.attempt += 1
        self.claim_number += 1
        self.has_turn = self.ordered

    def ended(self, how: str) -> None:
        """The worker that held it ended the attempt."""
        if outcome := _OUTCOMES.get(how):
            self.history.append((self.claim_number, outcome))
        again = self._has_another(how)
        # A task whose attempt is not counted keeps its place.
        self.has_new_job = how not in _UNSPENT
        self.attempt -= how in _UNSPENT
        self.crashes += how == "crash"
        self.worker_id = None
        self.due = how in _AT_ONCE
        if how == "complete":
            self.status = Status.COMPLETED
        elif how == "cancel":
            self.status = Status.CANCELLED
        elif not again:
            self.status = Status.FAILED
        else:
            self.status = Status.CANCELLED if self.cancel_requested else Status.PENDING
        self._settle()

    def _settle(self) -> None:
        """An ended task is not unique and does not expire, also when it is retried by hand.

        Nor does it keep its turn.
        """
        if self.status in TERMINAL:
            self.key, self.expires, self.expired = None, False, False
            self.has_turn = False
            self.last_end = self.status

    def _has_another(self, how: str) -> bool:
        if how in _UNSPENT:
            return True
        too_many_deaths = how == "crash" and self.losses + self.crashes + 1 >= DEATHS
        return how != "fatal" and not too_many_deaths and self.attempt < self.max_attempts

    def lost(self) -> None:
        """The rescuer queued it again after its worker died."""
        self.history.append((self.claim_number, Outcome.LOST))
        self.attempt -= 1
        self.losses += 1
        self.worker_id, self.due = None, True
        if self.cancel_requested:
            self.status = Status.CANCELLED
        else:
            self.status = Status.FAILED if self.losses >= LOSSES else Status.PENDING
        self._settle()

    def allows(self, verb: str) -> bool:
        """Return whether its status allows the verb."""
        match verb:
            case "retry":
                return self.status in RETRYABLE
            case "cancel":
                return self.status not in TERMINAL
            case _:
                return self.status != Status.PROCESSING

    def enqueued_again(self) -> None:
        """The reconciler replaced its missing job."""
        self.job_id, self.has_new_job = None, True

    def cancelled(self) -> None:
        """It was cancelled: at once if it waits, on request if it runs."""
        self.cancel_requested = True
        if self.status == Status.PENDING:
            self.status = Status.CANCELLED
            self._settle()

    def was_too_late(self) -> None:
        """It was cancelled because no worker had taken it in time."""
        self.status, self.expired = Status.CANCELLED, False

    def may_start(self) -> None:
        """The task before it has completed."""
        if self.skipped:
            self.retried()
        self.waits, self.rechecked = False, False
        self.due = self.status == Status.PENDING or self.due

    def can_never_start(self) -> None:
        """The task before it has ended otherwise."""
        self.status, self.skipped, self.rechecked = Status.CANCELLED, True, False

    def replaced(self, queue: str, max_attempts: int, *, due: bool) -> None:
        """A newer request gave it other values, and with them another job."""
        self.queue, self.max_attempts, self.due = queue, max_attempts, due
        self.has_new_job = True

    def retried(self) -> None:
        """It was retried by hand."""
        self.status, self.due, self.cancel_requested = Status.PENDING, self.after is None, False
        self.skipped, self.rechecked = False, self.after is not None
        self.has_new_job = True
        self.expires = self.expired = False
        self.losses = self.crashes = 0
        self.max_attempts = max(self.max_attempts, self.attempt + 1)
