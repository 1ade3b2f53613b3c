"""Workers of this machine: whether they renew their leases, for probes."""

from __future__ import annotations

import datetime as dt
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models.functions import Now

from tasks.postgres.time_limit import limited
from tasks.stats.worker_states import Liveness, workers


@dataclass(frozen=True, kw_only=True)
class HostWorkers:
    """How many worker processes of a host are in which state."""

    host: str
    alive: int
    draining: int
    # They run and renew no lease: blocked, or without the database.
    blocked: int

    @property
    def is_healthy(self) -> bool:
        """Return whether there are workers, and each of them renews its lease."""
        return self.alive + self.draining > 0 and not self.blocked

    @property
    def message(self) -> str:
        """Return a sentence."""
        if not (self.alive or self.draining or self.blocked):
            return f"No worker on {self.host} is alive."
        counts = {"alive": self.alive, "draining": self.draining, "blocked": self.blocked}
        parts = [f"{count} {state}" for state, count in counts.items() if count or state == "alive"]
        return f"Workers on {self.host}: {', '.join(parts)}."


def host_workers() -> HostWorkers:
    """Count the worker processes of this machine.

    A process that has ended is not counted: its supervisor replaces it.
    """
    host = socket.gethostname()
    counts = dict.fromkeys(Liveness, 0)
    with limited():
        rows: Any = list(workers().filter(host=host).annotate(now=Now()))
    for worker in rows:
        is_dead = worker.liveness == Liveness.DEAD
        if not is_dead or _ran_at(worker.pid, worker.now - worker.heartbeat_at):
            counts[Liveness(worker.liveness)] += 1
    return HostWorkers(
        host=host,
        alive=counts[Liveness.ALIVE],
        draining=counts[Liveness.DRAINING],
        blocked=counts[Liveness.DEAD],
    )


def _ran_at(pid: int, ago: dt.timedelta) -> bool:
    """Return whether a process that ran so long ago still runs (never without /proc).

    By its age: another process may have its number now, as after the restart of a container.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    # The numbers of proc(5), less the two before the parenthesis: state 3, start time 22.
    state, ticks = fields[0], int(fields[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return state not in ("Z", "X") and age > ago.total_seconds()
