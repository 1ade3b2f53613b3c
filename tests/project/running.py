"""`manage.py up` as a user runs it, in a process group of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.project.conftest import ROOT
from tests.project.waiting import wait_gone
from tests.waiting import wait_until

STARTED = "Ctrl-C stops everything"


class Up:
    """A running `manage.py up`."""

    def __init__(self, data_dir: Path, *, redirect: str = "", **environment: str) -> None:
        self.port = free_port()
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}-{self.port}.log"
        settings = {
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "DATABASE_URL": "",
            "API_ALLOW_ANONYMOUS": "true",
            "WORKER_PROCESSES": "1",
            **environment,
        }
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_until_started(self) -> None:
        """Wait until it has shown its addresses."""
        wait_until(
            lambda: STARTED in self.output or self.popen.poll() is not None,
            within=60,
            what="started",
        )
        assert STARTED in self.output, self.output

    def processes(self) -> list[int]:
        """Return the process ids of the command and its descendants."""
        main = psutil.Process(self.popen.pid)
        return [main.pid, *(child.pid for child in main.children(recursive=True))]

    def pid_of(self, name: str) -> int:
        """Return the process id of a child, by a word of its command."""
        for child in psutil.Process(self.popen.pid).children():
            if name in " ".join(child.cmdline()):
                return child.pid
        raise AssertionError(f"no {name}")

    def commands(self) -> str:
        """Return the command lines of its children."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.popen.pid).children()
            return "\n".join(" ".join(child.cmdline()) for child in children)
        return ""

    def submit(self, text: str) -> str:
        """Submit a text over HTTP; return the task's id."""
        return str(self._request("/v1/tasks", {"text": text})["task_id"])

    def task(self, task_id: str) -> dict[str, Any]:
        """Return a task, read over HTTP."""
        return self._request(f"/v1/tasks/{task_id}")

    def completes(self, text: str) -> bool:
        """Wait until a text is analysed; return False when it is not accepted."""
        try:
            task_id = self.submit(text)
        except OSError:
            return False
        wait_until(lambda: self._status(task_id) == "COMPLETED", what=f"{task_id} completed")
        return True

    def password(self) -> str | None:
        """Return the console's password, if it was shown."""
        match = re.search(r"admin / (\S+)", self.output)
        return match[1] if match else None

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Signal it to stop; return its exit code."""
        self.popen.send_signal(signum)
        return self.popen.wait(45)

    def sockets(self) -> list[Path]:
        """Return the sockets below its data directory."""
        return [path for path in self.data_dir.rglob("*") if path.is_socket()]

    def _status(self, task_id: str) -> str:
        with suppress(OSError):
            return str(self.task(task_id)["status"])
        return "unknown"

    def _request(self, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=json.dumps(body).encode() if body else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return dict(json.load(response))


@contextmanager
def up(data_dir: Path, *, redirect: str = "", **environment: str) -> Iterator[Up]:
    """Run `manage.py up`, and end it afterwards."""
    running = Up(data_dir, redirect=redirect, **environment)
    try:
        yield running
    finally:
        if running.popen.poll() is None:
            left = running.processes()
            running.popen.kill()
            running.popen.wait()
            wait_gone(left, within=40)


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
