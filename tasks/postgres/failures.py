"""Failures of statements by SQLSTATE: an outage, a failure that may pass, or a final one.

The classes of exceptions do not decide: psycopg's OperationalError also covers documents that are
too large (54xxx), which no second try can store. Source: PostgreSQL, appendix A, error codes.
"""

from __future__ import annotations

import psycopg
from django import db

# Connection lost (08), server stopped or starting (57P), read-only because it became a standby, too
# many connections, or a session ended for being idle: a new connection may reach the server.
_OUTAGE = ("08", "57P", "25006", "53300", "25P03", "25P04")
# Deadlock or conflict (40), lock not available, statement cancelled by a time-out, no memory or
# disk (53), input and output errors of the system (58), and internal errors (XX).
_PASSING = ("40", "55P03", "57014", "53", "58", "XX")
# Invalid data (22), and documents larger than PostgreSQL's own limits (54).
_REFUSED_VALUE = ("22", "54")
_WITHOUT_ANSWER = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    db.OperationalError,
    db.InterfaceError,
)


def is_outage(error: BaseException) -> bool:
    """Return whether the database is away, so that every statement fails."""
    state = sqlstate(error)
    if state is None:
        # Without an answer from the server: the connection was lost, or could not be made.
        return isinstance(_source(error), _WITHOUT_ANSWER)
    return state.startswith(_OUTAGE)


def may_pass(error: BaseException) -> bool:
    """Return whether the same statement may succeed later, though the database is there."""
    state = sqlstate(error)
    return state is not None and state.startswith(_PASSING) and not is_outage(error)


def is_outage_or_may_pass(error: BaseException) -> bool:
    """Return whether a later try may succeed."""
    return is_outage(error) or may_pass(error)


def is_refused_value(error: BaseException) -> bool:
    """Return whether PostgreSQL, or psycopg before it, refused a value of the statement."""
    is_data = isinstance(_source(error), (psycopg.DataError, db.DataError))
    return is_data or (sqlstate(error) or "").startswith(_REFUSED_VALUE)


def sqlstate(error: BaseException) -> str | None:
    """Return the code that the server sent with an error of psycopg or Django, if any."""
    state: str | None = getattr(_source(error), "sqlstate", None)
    return state


def _source(error: BaseException) -> BaseException:
    cause = error.__cause__
    return cause if isinstance(error, db.Error) and isinstance(cause, psycopg.Error) else error
