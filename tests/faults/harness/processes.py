"""Processes of a run: started with its mark, inspected by pid, and always ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from tasks.supervision.processes import die_with_parent
from tests.faults.harness.environment import MARK
from tests.faults.harness.queries import Queries
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]


class Command:
    """A running command, its output in a file."""

    def __init__(
        self, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str]
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                preexec_fn=partial(die_with_parent, signal.SIGKILL, parent=os.getpid()),
            )

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self.popen.pid

    def must_run(self) -> bool:
        """Return true; raise AssertionError with its output when it has ended."""
        assert self.popen.poll() is None, self.output()
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command itself."""
        self.popen.send_signal(number)

    def wait(self, *, within: float = 30.0) -> int:
        """Wait for it to end and return its exit code."""
        return self.popen.wait(timeout=within)

    def output(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text(errors="replace")

    def descendants(self) -> list[int]:
        """Return the process ids of its living descendants."""
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        return []

    def end(self) -> None:
        """End it and its descendants: with SIGTERM, after 5 s with SIGKILL."""
        family = [self.pid, *self.descendants()]
        for pid in family:
            send(pid, signal.SIGCONT)
        self.popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(timeout=5)
        for pid in {*family, *self.descendants()}:
            send(pid, signal.SIGKILL)
        self.popen.wait()


@dataclass(frozen=True)
class Registered:
    """A registered worker process: the id of its row and its process id."""

    id: int
    pid: int


class Workers(Command):
    """A running `manage.py worker`."""

    def __init__(
        self,
        *,
        queries: Queries,
        log: Path,
        processes: int,
        concurrency: int,
        queues: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self.processes = processes
        self._queries = queries
        command = ["manage.py", "worker", f"--processes={processes}"]
        command += [f"--concurrency={concurrency}"]
        command += [f"--queues={','.join(queues)}"] if queues else []
        super().__init__(command, log=log, environment=environment)

    def registered(self) -> list[Registered]:
        """Return its living processes that are registered, in the order of their ids."""
        pids = [pid for pid in self._children() if is_running(pid)]
        rows = self._queries.rows(
            "SELECT id, pid FROM tasks_worker WHERE pid = ANY (%(pids)s) ORDER BY id",
            {"pids": pids},
        )
        # A process id may be reused: its latest row belongs to the living process.
        return [Registered(*row) for row in {pid: (id, pid) for id, pid in rows}.values()]

    def wait_until_registered(self, *, within: float = 60.0) -> None:
        """Wait until each of its processes is registered."""
        wait_until(
            lambda: self.must_run() and len(self.registered()) >= self.processes,
            within=within,
            what="workers registered",
        )

    def _children(self) -> list[int]:
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.pid).children()]
        return []


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return False


def marked() -> list[psutil.Process]:
    """Return the living processes with this run's mark, except the harness itself."""
    mark, processes = os.environ[MARK], []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                processes.append(process)
    return processes
