"""Submissions: all that is known of a task before it has a row."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

import orjson
from uuid_utils.compat import uuid7

from tasks.callback_address import mistake_in
from tasks.correlation import Cause, current_cause
from tasks.delays import DELAY_LIMIT, Delay, seconds
from tasks.errors import FieldError, InvalidInput
from tasks.postgres.json import NotStorable, to_json
from tasks.unique import Cache, Unique
from tasks.whole_number import checked_whole_number

# 40, because procrastinate notifies on a channel of that name, and PostgreSQL bounds those.
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
KEY = re.compile(r"[!-~]{1,255}")
QUEUE_RULE = (
    "Use at most 40 characters: letters, digits, dot, underscore, colon or hyphen,"
    " and first a letter or digit."
)
PRIORITY_LIMIT = 1_000_000
MAX_ATTEMPTS_LIMIT = 1_000
# Bytes of JSON; a request's body, which holds the input, may have as many.
INPUT_LIMIT = 10 * 1024 * 1024
METADATA_LIMIT = 16 * 1024


class Options(TypedDict, total=False):
    """Options of a submission besides kind and input; the kind provides omitted ones."""

    queue: str | None
    priority: int | None
    # From the commit until the task is due, seconds or a timedelta; not with `scheduled_at`.
    delay: Delay | None
    scheduled_at: dt.datetime | None
    max_attempts: int | None
    metadata: dict[str, Any] | None
    # Notified when the task has ended.
    callback_url: str | None
    # A client's key for its request: a second request with the same key creates no second task.
    idempotency_key: str | None
    # How many tasks with the same value may exist: one. A dict has the fields of the API.
    unique: Unique | dict[str, Any] | None
    # From the submit until the task is cancelled if it has not begun, seconds or a timedelta.
    expires_in: Delay | None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A task to create, with everything its row needs; `delay` in seconds from the commit.

    Input and metadata are JSON documents: what the caller changes later has no effect.
    """

    kind: str
    input: bytes
    queue: str
    priority: int
    max_attempts: int
    delay: float | None = None
    scheduled_at: dt.datetime | None = None
    metadata: bytes = b"{}"
    callback_url: str = ""
    idempotency_key: str | None = None
    unique: Unique | None = None
    expires_in: float | None = None
    # Of the kind, not options of the request: whether its results can be used again, and for how
    # many days its tasks are kept.
    cache: Cache | None = None
    keep_days: int | None = None
    # Its name in a workflow; the task whose handler submits it; whether others wait for its end;
    # whether it waits for others.
    node: str | None = None
    parent_id: uuid.UUID | None = None
    is_awaited: bool | None = None
    waits: bool = False
    id: uuid.UUID = field(default_factory=uuid7)
    cause: Cause = field(default_factory=current_cause)

    @property
    def may_be_answered(self) -> bool:
        """Return whether a stored result can be its result at once.

        A unique one must first be compared with the task that exists.
        """
        later = self.delay is not None or self.scheduled_at is not None or self.waits
        return self.cache is not None and self.unique is None and not later

    @property
    def may_repeat(self) -> bool:
        """Return whether it creates no task if another exists: it has a key, or is unique."""
        return self.idempotency_key is not None or self.unique is not None

    def fingerprint(self) -> str:
        """Return a digest that is the same for a repeated request and differs for others."""
        if self.idempotency_key is None:
            return ""
        # The documents as values: the order of their names makes no difference.
        documents = {"input": orjson.loads(self.input), "metadata": orjson.loads(self.metadata)}
        request = {**vars(self), **documents, "id": None}
        # A repeated request is another cause of the same task.
        del request["cause"]
        for name in _OF_BATCHES:
            del request[name]
        # The version before, which may have had the request first, does not know these.
        for name in ("unique", "expires_in"):
            if request[name] is None:
                del request[name]
        del request["cache"], request["keep_days"]
        canonical = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(canonical).hexdigest()

    def row(self, *, owner_id: int | None) -> dict[str, Any]:
        """Return the values of the task's row, for orjson."""
        documents = {
            "input": orjson.Fragment(self.input),
            "metadata": orjson.Fragment(self.metadata),
        }
        row = {**vars(self), **documents, "fingerprint": self.fingerprint(), "owner_id": owner_id}
        del row["cause"], row["unique"], row["cache"]
        for name in _OF_BATCHES:
            if not row[name]:
                del row[name]
        if self.cache:
            row["cache_key"] = self.cache.key_of(
                kind=self.kind, owner_id=owner_id, input=self.input
            )
        if self.unique:
            row |= self.unique.row(kind=self.kind, owner_id=owner_id, input=self.input)
        return {**row, **self.cause._asdict()}


# Not options of a request: set by what submits a batch, a workflow or a follow-up.
_OF_BATCHES = ("node", "parent_id", "is_awaited", "waits")


def checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as they are stored; raise InvalidInput, which names each wrong one."""
    checked, errors = {}, []
    for name, value in options.items():
        try:
            checked[name] = _CHECKS[name](value)
        except ValueError as error:
            text = str(error)
            errors.append(FieldError(_SENT_NAMES.get(name, name), text[:1].upper() + text[1:]))
    if "delay" in options and "scheduled_at" in options:
        errors.append(FieldError("delay", "Use either delay or scheduled_at."))
    if errors:
        raise InvalidInput(errors)
    return checked


def document(value: Any, *, field: str, limit: int) -> bytes:
    """Return a value as a JSON document; raise InvalidInput."""
    try:
        return to_json(value, limit=limit)
    except NotStorable as error:
        place = f"{field}.{error.path}".rstrip(".")
        raise InvalidInput([FieldError(place, f"This value {error.reason}.")]) from None


def _queue(value: Any) -> str:
    if isinstance(value, str) and QUEUE_NAME.fullmatch(value):
        return value
    raise ValueError(QUEUE_RULE)


def _priority(value: Any) -> int:
    mistake = f"Must be within ±{PRIORITY_LIMIT}."
    return checked_whole_number(value, -PRIORITY_LIMIT, PRIORITY_LIMIT, mistake)


def _max_attempts(value: Any) -> int:
    return checked_whole_number(value, 1, MAX_ATTEMPTS_LIMIT, f"Must be 1 to {MAX_ATTEMPTS_LIMIT}.")


def _scheduled_at(value: Any) -> dt.datetime:
    if not isinstance(value, dt.datetime) or value.utcoffset() is None:
        raise ValueError("Must be a date and time with a time zone.")
    # First the difference: the ends of the calendar overflow in some time zones.
    if abs(value - dt.datetime.now(dt.UTC)).total_seconds() > DELAY_LIMIT:
        raise ValueError("The time is more than ten years away.")
    return value.astimezone(dt.UTC)


def _metadata(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise ValueError("Must be an object.")
    try:
        return to_json(value, limit=METADATA_LIMIT)
    except NotStorable as error:
        raise ValueError(f"The value cannot be stored: {error}.") from None


def _callback_url(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Must be a URL.")
    if value and (mistake := mistake_in(value)):
        raise ValueError(mistake)
    return value


def _expires_in(value: Any) -> float:
    if (until := seconds(value)) > 0:
        return until
    raise ValueError("Must be above 0 seconds.")


def _idempotency_key(value: Any) -> str:
    if isinstance(value, str) and KEY.fullmatch(value):
        return value
    raise ValueError("Use 1 to 255 printable ASCII characters.")


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "queue": _queue,
    "priority": _priority,
    "delay": seconds,
    "scheduled_at": _scheduled_at,
    "max_attempts": _max_attempts,
    "metadata": _metadata,
    "callback_url": _callback_url,
    "idempotency_key": _idempotency_key,
    "unique": Unique.parse,
    "expires_in": _expires_in,
}
_SENT_NAMES = {"idempotency_key": "Idempotency-Key"}


@dataclass(frozen=True)
class Owned:
    """A submission and its owner."""

    submission: Submission
    owner_id: int | None

    @property
    def unique_key(self) -> uuid.UUID | None:
        """Return the key of a unique task; None for any other."""
        new = self.submission
        if new.unique is None:
            return None
        return new.unique.key_of(kind=new.kind, owner_id=self.owner_id, input=new.input)

    @property
    def on_conflict(self) -> str | None:
        """Return what happens where the unique task exists; None for a task that is not unique."""
        unique = self.submission.unique
        return unique.on_conflict if unique else None
