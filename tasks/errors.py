"""Errors: the reasons for which verbs refuse a request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass


class TaskError(Exception):
    """A refusal by a verb; the interfaces turn it into a response."""


class UnknownKind(TaskError):
    """No kind of this name is registered."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"There is no kind named {kind!r}.")
        self.kind = kind


@dataclass(frozen=True)
class FieldError:
    """An error in one value: its place in the input and a sentence."""

    field: str
    message: str

    def moved(self, before: str, after: str) -> FieldError:
        """Return the error with its place as the caller sent it: under `after`, not `before`."""
        return FieldError(f"{after}{self.field.removeprefix(before)}".strip("."), self.message)


class InvalidInput(TaskError):
    """The input or an option is not valid."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors

    def moved(self, before: str, after: str = "") -> InvalidInput:
        """Return the errors with their places as the caller sent them."""
        return InvalidInput([error.moved(before, after) for error in self.errors])


class KeyReused(TaskError):
    """The idempotency key belongs to an earlier, different request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was already used for a different request.")


class BatchClosed(TaskError):
    """Members were to be added to a batch that is not open."""

    def __init__(self) -> None:
        super().__init__("The batch is closed: only an open one takes more tasks.")


class UniqueConflict(TaskError):
    """The task was to be the only one of its kind and value, and another exists.

    In a batch, `place` is that of the task, and `twin` that of the other one if it is there too.
    """

    def __init__(
        self, task_id: uuid.UUID, *, place: int | None = None, twin: int | None = None
    ) -> None:
        if twin is None:
            mistake = f"The task {task_id} exists, and no other may have the same unique value."
        else:
            mistake = f"It has the same unique value as task {twin}, and may not."
        super().__init__(mistake if place is None else f"Task {place} of the batch: {mistake}")
        self.task_id = None if twin is not None else task_id


class TaskGone(TaskError):
    """The task was deleted meanwhile."""

    def __init__(self) -> None:
        super().__init__("The task has been deleted.")


class ScheduleGone(TaskError):
    """The schedule was deleted meanwhile."""

    def __init__(self) -> None:
        super().__init__("The schedule has been deleted.")


class AlertGone(TaskError):
    """The alert or the rule was deleted meanwhile."""

    def __init__(self) -> None:
        super().__init__("It has been deleted.")


class WrongStatus(TaskError):
    """The status of the task does not allow the verb."""

    def __init__(self, status: str, participle: str) -> None:
        super().__init__(f"A task that is {status} cannot be {participle}.")
        self.status = status


class LimitGone(TaskError):
    """The limit was deleted meanwhile."""

    def __init__(self) -> None:
        super().__init__("The limit has been deleted.")
