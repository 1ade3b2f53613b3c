"""Statement durations, read from the server's log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.faults.harness.system import System

# The statements of `tasks/sql/` begin with a comment that names them.
LINE = re.compile(r"duration: ([\d.]+) ms  (?:execute [^:]*|statement|parse [^:]*): (?:-- (\w+))?")


class Durations:
    """The server's log of statements since creation or the last `restart`."""

    def __init__(self, system: System) -> None:
        self._log = system.server.embedded.log
        # Affects only sessions that begin after this.
        system.queries.rows("ALTER DATABASE tasks SET log_min_duration_statement = 0")
        self.restart()

    def restart(self) -> None:
        """Ignore what was logged until now."""
        self._from = self._log.stat().st_size

    def of(self, name: str) -> list[float]:
        """Return the milliseconds of each run of a named statement, sorted."""
        return sorted(ms for ms, statement in self._read() if statement == name)

    def longest(self) -> tuple[float, str]:
        """Return the milliseconds and the name of the longest named statement."""
        return max(((ms, name) for ms, name in self._read() if name), default=(0.0, "none"))

    def _read(self) -> list[tuple[float, str]]:
        with self._log.open(errors="replace") as log:
            log.seek(self._from)
            return [(float(ms), name) for ms, name in LINE.findall(log.read())]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted values, 0 when there are none."""
    return values[min(len(values) - 1, int(len(values) * percent / 100))] if values else 0.0
