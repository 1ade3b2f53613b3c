"""Findings: what a check of health returns."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import TextChoices


class Level(TextChoices):
    """How serious a finding is, in the order of the exit codes of monitoring plugins."""

    OK = "ok"
    # Everything works, and an operator should look.
    WARNING = "warning"
    # Requests fail, or accepted work is not done.
    FAILED = "failed"
    # The check did not get an answer.
    UNKNOWN = "unknown"

    @property
    def code(self) -> int:
        """Return the exit code that a plugin of a monitoring system has for this."""
        return list(Level).index(self)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A sentence for everybody; `names` are for those who may see every task."""

    level: Level
    message: str
    names: tuple[str, ...] = ()


def ok(message: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(level=Level.OK, message=message)


def warning(message: str) -> Finding:
    """Return a finding that an operator should look at."""
    return Finding(level=Level.WARNING, message=message)


def failed(message: str, *, names: tuple[str, ...] = ()) -> Finding:
    """Return a finding that needs an operator at once."""
    return Finding(level=Level.FAILED, message=message, names=names)


def unknown(message: str) -> Finding:
    """Return the finding of a check that got no answer."""
    return Finding(level=Level.UNKNOWN, message=message)
