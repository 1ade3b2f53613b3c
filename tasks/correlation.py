"""Correlation: which request caused what runs now; its log lines and new tasks name it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from uuid_utils.compat import uuid7

# What others chose is stored and logged: only what neither breaks a line nor a header.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
# W3C Trace Context, 3.2: version, trace, parent, flags; later versions may have more parts.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})"
    r"(?:-.*)?"
)


class Cause(NamedTuple):
    """The request that caused a task; a task that none caused has empty texts."""

    request_id: str = ""
    # Empty unless the caller sent one.
    traceparent: str = ""

    @classmethod
    def of_headers(cls, request_id: str, traceparent: str) -> Cause:
        """Return the cause that headers name; an invalid one counts as not sent."""
        if not _REQUEST_ID.fullmatch(request_id):
            # Later ones are greater: the index of tasks grows at its end.
            request_id = uuid7().hex
        match = _TRACEPARENT.fullmatch(traceparent)
        if match is None or (traceparent.startswith("00") and len(traceparent) > 55):
            return cls(request_id)
        return cls(request_id, traceparent[:55])

    @property
    def trace_id(self) -> str:
        """Return the trace's id, which follows from the request's id if the caller sent none."""
        if self.traceparent:
            return self.traceparent[3:35]
        return hashlib.sha256(self.request_id.encode()).hexdigest()[:32] if self.request_id else ""

    def next_traceparent(self) -> str:
        """Return the header for a call to another service, as a new part of the same trace."""
        flags = self.traceparent[53:55] or "00"
        return f"00-{self.trace_id}-{secrets.token_hex(8)}-{flags}"

    def log_fields(self) -> dict[str, str]:
        """Return what each log line says; empty for no request and no trace."""
        if self.request_id:
            return {"request_id": self.request_id, "trace_id": self.trace_id}
        return {"trace_id": self.trace_id} if self.traceparent else {}


class Subject(Protocol):
    """What runs: a request or an attempt."""

    @property
    def cause(self) -> Cause:
        """The request that caused it."""

    def log_fields(self) -> Mapping[str, Any]:
        """Return the fields of each log line."""


_subject: ContextVar[Subject | None] = ContextVar("subject", default=None)


class running:
    """Give what this thread logs and submits meanwhile the subject's fields and cause.

    A context manager; as a generator it would cost each attempt six times as much.
    """

    __slots__ = ("_subject", "_token")

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        self._token = _subject.set(self._subject)

    def __exit__(self, *raised: object) -> None:
        _subject.reset(self._token)


def current_cause() -> Cause:
    """Return the request that caused what this thread does, an empty one for none."""
    subject = _subject.get()
    return Cause() if subject is None else subject.cause


def add_log_fields(logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add the fields of what runs to a line that has none of that name: a step of structlog."""
    subject = _subject.get()
    return event if subject is None else {**subject.log_fields(), **event}
