"""What a verb may refuse."""

from __future__ import annotations

from dataclasses import dataclass


class TaskError(Exception):
    """A request that a verb refuses; the interfaces turn it into an answer."""


class UnknownKind(TaskError):
    """No kind of this name is registered."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no kind named {kind!r}.")
        self.kind = kind


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one value: its place in the input and a sentence."""

    field: str
    message: str


class InvalidInput(TaskError):
    """The input does not fit the kind's schema."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


class KeyReused(TaskError):
    """The idempotency key belongs to an earlier request that asked for something else."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request.")


class TaskGone(TaskError):
    """Somebody deleted the task meanwhile."""

    def __init__(self) -> None:
        super().__init__("The task is gone.")


class ScheduleGone(TaskError):
    """Somebody deleted the schedule meanwhile."""

    def __init__(self) -> None:
        super().__init__("The schedule is gone.")


class WrongStatus(TaskError):
    """The verb cannot be done to a task of this status."""

    def __init__(self, status: str, participle: str) -> None:
        super().__init__(f"A task that is {status} cannot be {participle}.")
        self.status = status
