"""System under test: a durable PostgreSQL, workers, the web server, and the ledger."""

from __future__ import annotations

import signal
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from tasks import lifecycle
from tasks.models import Status, Task
from tasks.submission import Submission
from tests.faults.harness import invariants
from tests.faults.harness.ledger import Accepted
from tests.faults.harness.processes import Command, Registered, Workers, send
from tests.faults.harness.queries import Queries
from tests.faults.harness.recovery import Recovery, recoveries
from tests.faults.harness.server import Server
from tests.waiting import wait_until

LIVING = (Status.PENDING, Status.PROCESSING)


@dataclass(frozen=True)
class Web:
    """The web server and its address."""

    command: Command
    url: str


class System:
    """The system that a row works on; `directory` is deleted after the row."""

    def __init__(self, server: Server, directory: Path, *, quick: bool) -> None:
        self.server = server
        self.directory = directory
        self.quick = quick
        self.queries = Queries(server.url)
        self.accepted = Accepted(directory / "accepted")
        self._commands: list[Command] = []

    def workers(
        self,
        *,
        processes: int = 1,
        concurrency: int = 4,
        queues: Sequence[str] = (),
        registered: bool = True,
        **environment: str,
    ) -> Workers:
        """Start `manage.py worker` and wait until each of its processes is registered."""
        command = Workers(
            queries=self.queries,
            log=self._log("worker"),
            processes=processes,
            concurrency=concurrency,
            queues=queues,
            environment=environment,
        )
        self._commands.append(command)
        if registered:
            command.wait_until_registered()
        return command

    def web(self, **environment: str) -> Web:
        """Start the web server and wait until it answers."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        settings = {"HOST": "127.0.0.1", "PORT": str(port), **environment}
        command = Command(["-m", "taskproject.web"], log=self._log("web"), environment=settings)
        self._commands.append(command)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: command.must_run() and _answers(url), within=60, what="web answers")
        return Web(command, url)

    def submit(self, submissions: Sequence[Submission]) -> list[uuid.UUID]:
        """Commit the submissions, then record them as accepted; return their ids."""
        ids = [submission.id for submission in submissions]
        lifecycle.submit_many(submissions)
        self.accepted.add(ids)
        return ids

    def kill(self, worker: Registered, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a worker process and record the fault."""
        at = time.time()
        send(worker.pid, number)
        self.fault(number.name, worker_id=worker.id, at=at)

    def fault(self, what: str, *, worker_id: int | None = None, at: float | None = None) -> None:
        """Record a fault at a Unix time, by default now."""
        self.queries.rows(
            "INSERT INTO faults_fault (at, what, worker_id)"
            " VALUES (to_timestamp(%(at)s), %(what)s, %(worker)s)",
            {"at": at or time.time(), "what": what, "worker": worker_id},
        )

    def recovery(self) -> Recovery:
        """Return how long the tasks hit by recorded faults waited for their next start."""
        return recoveries(self.queries)

    def doubled(self) -> int:
        """Return how many effects of transactional tasks are duplicates."""
        return invariants.doubled(self.queries)

    def clobbers(self) -> int:
        """Return how many writes changed an ended task (I3)."""
        return invariants.clobbers(self.queries)

    def count(self, *statuses: Status) -> int:
        """Return how many tasks have one of these statuses."""
        return int(
            self.queries.value(
                "SELECT count(*) FROM tasks_task WHERE status = ANY (%(statuses)s)",
                {"statuses": [str(status) for status in statuses]},
            )
        )

    def wait_until_ended(self, *, within: float) -> None:
        """Wait until no task waits or runs."""
        wait_until(lambda: not self.count(*LIVING), within=within, what="all tasks ended")

    def task(self, task_id: uuid.UUID) -> Task:
        """Return a task's current row."""
        return Task.objects.get(pk=task_id)

    def end(self) -> None:
        """End every process of the row."""
        for command in reversed(self._commands):
            command.end()
        self.queries.close()
        self.accepted.close()

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}-{len(self._commands)}.log"


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/live", timeout=5).ok
    except requests.RequestException:
        return False
