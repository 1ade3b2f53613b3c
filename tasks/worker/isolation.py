"""Isolation: runs attempts in child processes, so that a crash costs only that attempt."""

from __future__ import annotations

import logging
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from django.conf import settings

from tasks import tracing
from tasks.counts import CHILDREN_ENDED, counts
from tasks.kinds.exceptions import CANCELLED_ON_REQUEST, Cancel
from tasks.lifecycle.ending import Ending, crashed, interrupted, raised, timed_out
from tasks.models import Outcome, Status
from tasks.supervision.fork_server import ForkServer, kill_group
from tasks.worker.child import Done, Progress, Work
from tasks.worker.slot import Running

log = logging.getLogger(__name__)

# Seconds within which a request to stop is noticed.
_POLL_SECONDS = 0.1
# Seconds for which a child without work is kept: it holds memory and a connection, and another
# takes milliseconds to fork.
IDLE_SECONDS = 15.0
# Why a child is ended, besides the outcomes of attempts and the limits of the settings.
_IDLE = "idle"
_UNKNOWN = "unknown"


class Child:
    """One child process and what it has done so far."""

    def __init__(self, fork_server: ForkServer) -> None:
        self._fork_server = fork_server
        self.pid, channel = fork_server.fork()
        self.channel = Connection(channel.detach())
        self.attempts = 0
        self.idle_since = 0.0

    def is_gone(self) -> bool:
        """Return whether the idle child has exited (its pipe is then readable: at EOF)."""
        return self.channel.poll()

    def kill(self) -> int:
        """Kill the child and what it started; return its exit code."""
        kill_group(self.pid)
        self.channel.close()
        return self._fork_server.exit_code(self.pid)


class Isolation:
    """The children of one worker process: as many as run at once, kept for the next attempt."""

    def __init__(self, fork_server: ForkServer, *, worker: str) -> None:
        self._fork_server = fork_server
        self._worker = worker
        self._idle: list[Child] = []
        self._lock = threading.Lock()
        self._retiring = False

    def run(self, running: Running) -> Ending | None:
        """Run an attempt in a child, to its end or until it must be killed."""
        child = self._take()
        child.attempts += 1
        try:
            child.channel.send(Work(running.claim, self._worker))
            ending = self._follow(child, running)
        except (EOFError, ConnectionError):
            return self._crashed(child, running)
        except _Killed as killed:
            _end(child, str(killed.ending.outcome))
            return killed.ending
        except BaseException:
            # Otherwise the child would run on, unobserved.
            _end(child, _UNKNOWN)
            raise
        # What a failed attempt left in its process must not affect the next.
        if reason := _reason_to_replace(child, ending):
            _end(child, reason)
        else:
            self._keep(child)
        return ending

    def _take(self) -> Child:
        while True:
            with self._lock:
                if not self._idle:
                    break
                # The child used last, so that those not needed stay idle and are ended.
                child = self._idle.pop()
            if not child.is_gone():
                return child
            _end(child, Outcome.CRASHED.value)
        return Child(self._fork_server)

    def _keep(self, child: Child) -> None:
        child.idle_since = time.monotonic()
        with self._lock:
            self._idle.append(child)
            begin, self._retiring = not self._retiring, True
        if begin:
            threading.Thread(target=self._retire, name="retire", daemon=True).start()

    def _retire(self) -> None:
        """End the children that have been idle for long, until none is left."""
        while True:
            time.sleep(IDLE_SECONDS / 4)
            with self._lock:
                since = time.monotonic() - IDLE_SECONDS
                old = [child for child in self._idle if child.idle_since <= since]
                self._idle = [child for child in self._idle if child.idle_since > since]
                self._retiring = bool(self._idle)
                is_over = not self._retiring
            for child in old:
                _end(child, _IDLE)
            if is_over:
                return

    def _follow(self, child: Child, running: Running) -> Ending | None:
        """Pass on the child's progress until it is done; raise _Killed when it must stop."""
        while True:
            if child.channel.poll(_POLL_SECONDS):
                match child.channel.recv():
                    case Progress(percent, message):
                        running.context.report(percent, message)
                    case Done(ending, sums, spans):
                        counts.add_all(sums)
                        if tracing.recorder is not None:
                            tracing.recorder.add(spans)
                        return ending
            if ending := _reason_to_kill(running):
                raise _Killed(ending)

    def _crashed(self, child: Child, running: Running) -> Ending:
        code = _end(child, Outcome.CRASHED.value)
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        log.warning(
            "child process died; its attempt is recorded as crashed",
            extra={"task_id": str(running.claim.id), "how": how},
        )
        return crashed(running.claim, running.kind, how)


class _Killed(Exception):
    """The child must be killed; `ending` is that of its attempt."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self.ending = ending


def _end(child: Child, reason: str) -> int:
    """Kill a child and count it; return its exit code."""
    counts.add(CHILDREN_ENDED, reason)
    return child.kill()


def _reason_to_replace(child: Child, ending: Ending | None) -> str:
    if ending is None:
        return Outcome.LOST.value
    if ending.status != Status.COMPLETED:
        return str(ending.outcome)
    return reason_to_replace(child.pid, tasks=child.attempts)


def _reason_to_kill(running: Running) -> Ending | None:
    claim, context, kind = running.claim, running.context, running.kind
    if context.cancelled:
        return raised(claim, kind, Cancel(CANCELLED_ON_REQUEST))
    if context.interrupted:
        return interrupted(claim)
    if running.is_overdue():
        return timed_out(claim, kind)
    return None


def reason_to_replace(pid: int, *, tasks: int) -> str:
    """Return which limit of the settings a process has reached, empty if none."""
    max_tasks: int = settings.WORKER_MAX_TASKS_PER_CHILD
    max_kib: int = settings.WORKER_MAX_MEMORY_PER_CHILD
    if 0 < max_tasks <= tasks:
        return "tasks"
    return "memory" if 0 < max_kib < resident_kib(pid) else ""


def resident_kib(pid: int) -> int:
    """Return the resident memory of a process in KiB; 0 when the process has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0
    )
