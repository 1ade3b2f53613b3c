"""Workers for tests: one in this process, or the real command in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from django.db import connection

from tasks.models import Worker
from tests.queue_rows import execute
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    """Return the URL of this test's database, for separate processes."""
    database = connection.settings_dict
    return f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"


def run_until_idle(*, within: float = 30.0, **options: Any) -> None:
    """Run a worker until no task waits or runs."""
    command = WorkerCommand(**options)
    try:
        wait_until(lambda: command.must_run() and is_idle(), within=within, what="idle")
    finally:
        command.end()


def is_idle() -> bool:
    """Return whether no task waits or runs, and no end is to be acted upon."""
    # In one snapshot: what follows an end is submitted in the transaction that takes its note.
    ((is_busy,),) = execute(
        "SELECT EXISTS (SELECT FROM tasks_task WHERE status IN ('PENDING', 'PROCESSING'))"
        " OR EXISTS (SELECT FROM tasks_notedend)"
    )
    return not is_busy


class WorkerCommand:
    """A running `manage.py worker`."""

    def __init__(
        self,
        *,
        processes: int = 1,
        concurrency: int = 4,
        queues: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self.processes = processes
        self.log = TemporaryFile("w+")  # noqa: SIM115 closed by end()
        command = [
            sys.executable, "manage.py", "worker",
            f"--processes={processes}", f"--concurrency={concurrency}",
            *([f"--queues={','.join(queues)}"] if queues else []),
        ]  # fmt: skip
        self.popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": database_url(), **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )

    def wait_until_registered(self) -> None:
        """Wait until each of its processes is registered."""
        wait_until(
            lambda: self.must_run() and len(self.workers()) >= self.processes, what="registered"
        )

    def must_run(self) -> bool:
        """Fail with its output when it has ended."""
        assert self.popen.poll() is None, self.output()
        return True

    def workers(self) -> list[Worker]:
        """Return the rows of its living processes."""
        return [row for row in Worker.objects.all() if self._is_ours(row)]

    def _is_ours(self, row: Worker) -> bool:
        return is_running(row.pid) and _stat(row.pid)[1] == str(self.popen.pid)

    def pids(self) -> list[int]:
        """Return the process ids of its worker processes."""
        return [row.pid for row in self.workers()]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command itself."""
        self.popen.send_signal(number)

    def wait(self, *, within: float = 30.0) -> int:
        """Return its exit code, once it has one."""
        return self.popen.wait(timeout=within)

    def output(self) -> str:
        """Return what it has written so far."""
        self.log.seek(0)
        return self.log.read()

    def end(self) -> None:
        """Stop the command, and kill it when it does not end."""
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(timeout=15)
            except subprocess.TimeoutExpired:
                print(self.output())
                for pid in self.pids():
                    os.kill(pid, signal.SIGKILL)
                self.popen.kill()
                self.popen.wait()
        self.log.close()


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return _stat(pid)[0] not in ("Z", "X")
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """Return the state of a process, the id of its parent, and what follows in proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
