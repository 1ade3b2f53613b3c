"""Submissions: all that is known of a task before it has a row."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict

import orjson
from uuid_utils.compat import uuid7

from tasks.callback_address import mistake_in
from tasks.errors import FieldError

# 40, because procrastinate notifies on a channel of that name, and PostgreSQL bounds those.
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}")
KEY = re.compile(r"[!-~]{1,255}")
PRIORITY_LIMIT = 1_000_000
MAX_ATTEMPTS_LIMIT = 1_000
# Ten years: longer is a mistake, and far from what timestamps can hold.
DELAY_LIMIT = 10 * 365 * 86_400.0


class Options(TypedDict, total=False):
    """Options of a submission besides kind and input; the kind provides omitted ones."""

    queue: str | None
    priority: int | None
    # Seconds from the commit until the task is due; not together with `scheduled_at`.
    delay: float | None
    scheduled_at: dt.datetime | None
    max_attempts: int | None
    metadata: dict[str, Any] | None
    # Notified when the task has ended.
    callback_url: str | None
    # A client's key for its request: a second request with the same key creates no second task.
    idempotency_key: str | None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A task to create, with everything its row needs; `delay` in seconds from the commit."""

    kind: str
    input: dict[str, Any]
    queue: str
    priority: int
    max_attempts: int
    delay: float | None = None
    scheduled_at: dt.datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    callback_url: str = ""
    idempotency_key: str | None = None
    id: uuid.UUID = field(default_factory=uuid7)

    def fingerprint(self) -> str:
        """Return a digest that is the same for a repeated request and differs for others."""
        if self.idempotency_key is None:
            return ""
        request = asdict(self) | {"id": None}
        canonical = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(canonical).hexdigest()

    def mistakes(self) -> list[FieldError]:
        """Return what is wrong with the options."""
        errors = []
        if not QUEUE_NAME.fullmatch(self.queue):
            errors.append(FieldError("queue", "Use up to 40 letters, digits and . _ : -"))
        if not -PRIORITY_LIMIT <= self.priority <= PRIORITY_LIMIT:
            errors.append(FieldError("priority", f"Must be within ±{PRIORITY_LIMIT}."))
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS_LIMIT:
            errors.append(FieldError("max_attempts", f"Must be 1 to {MAX_ATTEMPTS_LIMIT}."))
        if self.delay is not None and not 0 <= self.delay <= DELAY_LIMIT:
            errors.append(FieldError("delay", f"Must be 0 to {DELAY_LIMIT:.0f} seconds."))
        if self.delay is not None and self.scheduled_at is not None:
            errors.append(FieldError("delay", "Use either delay or scheduled_at."))
        if self.scheduled_at is not None and self.scheduled_at.tzinfo is None:
            errors.append(FieldError("scheduled_at", "Must have a time zone."))
        if self.idempotency_key is not None and not KEY.fullmatch(self.idempotency_key):
            errors.append(FieldError("Idempotency-Key", "Use 1 to 255 printable ASCII characters."))
        if self.callback_url and (mistake := mistake_in(self.callback_url)):
            errors.append(FieldError("callback_url", mistake))
        return errors


@dataclass(frozen=True)
class Owned:
    """A submission and its owner."""

    submission: Submission
    owner_id: int | None
