"""A request, as what runs, for tests of what it causes."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.correlation import Cause

CAUSE = Cause("r-1", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


@dataclass(frozen=True)
class Caused:
    """What a cause has caused; its log lines have no fields of their own."""

    cause: Cause = CAUSE

    def log_fields(self) -> dict[str, str]:
        """Return nothing."""
        return {}
