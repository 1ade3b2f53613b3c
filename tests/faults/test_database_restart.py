"""R19, small: the database is crashed under load, and every task that was accepted completes."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

import requests

from tests.project.conftest import open_directory
from tests.project.running import Up, up
from tests.waiting import wait_until

CRASHES = 3
TASKS_PER_CRASH = 120


class Client(threading.Thread):
    """Submits one text after another and records the answers."""

    def __init__(self, running: Up) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{running.port}/v1/tasks"
        self.accepted: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.refusals: list[requests.Response] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        """Submit until stopped."""
        with requests.Session() as session:
            while not self.stopped.wait(0.005):
                answer = session.post(self.url, json={"text": "to be or not"}, timeout=30)
                self.statuses[answer.status_code] += 1
                if answer.status_code == 202:
                    self.accepted.append(answer.json()["task_id"])
                else:
                    self.refusals.append(answer)


def test_a_database_crash_loses_no_accepted_task():
    # A separate cluster, as durable as in production.
    with open_directory() as root, up(root / "data", WORKER_PROCESSES="2") as running:
        running.wait_until_started()
        workers = _workers(running)
        client = Client(running)
        client.start()
        try:
            for crash in range(1, CRASHES + 1):
                wait_until(lambda n=crash: len(client.accepted) > TASKS_PER_CRASH * n, what="load")
                refused = client.statuses[503]
                os.kill(running.pid_of("postgres"), signal.SIGQUIT)
                wait_until(lambda n=refused: client.statuses[503] > n, what="answered with 503")
        finally:
            wait_until(
                lambda: len(client.accepted) > TASKS_PER_CRASH * (CRASHES + 1), what="load again"
            )
            client.stopped.set()
            client.join()
        assert set(client.statuses) == {202, 503}
        for answer in client.refusals:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
        for task_id in client.accepted:
            wait_until(
                lambda id=task_id: running.task(id)["status"] == "COMPLETED",
                within=45,
                what=f"{task_id} completed",
            )
        assert _workers(running) == workers


def _workers(running: Up) -> set[int]:
    """Return the process ids of the workers that /health/workers reports as alive."""
    answer = requests.get(f"http://127.0.0.1:{running.port}/health/workers", timeout=10).json()
    return {worker["pid"] for worker in answer["workers"] if worker["state"] == "alive"}
