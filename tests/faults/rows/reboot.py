"""Machine reboot: R18."""

from __future__ import annotations

import os
import signal
import threading
import time

import requests

from tasks.models import Status
from tests.faults.harness.processes import marked
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

REBOOTS = 3
READY_LIMIT = 60.0
CLIENTS = 4


class Client(threading.Thread):
    """Submits over HTTP and records accepted tasks; an unknown outcome is not recorded."""

    def __init__(self, system: System) -> None:
        super().__init__(name="client", daemon=True)
        self.system = system
        self.url = ""
        self._stopped = threading.Event()

    def run(self) -> None:
        """Submit until stopped."""
        body = {"kind": "test.effect", "input": {"seconds": 0.02}}
        with requests.Session() as session:
            while not self._stopped.wait(0.005):
                try:
                    answer = session.post(f"{self.url}/api/v1/tasks/", json=body, timeout=10)
                except requests.RequestException:
                    continue
                if answer.status_code == 202:
                    self.system.accepted.add([answer.json()["task_id"]])

    def stop(self) -> None:
        """Stop submitting."""
        self._stopped.set()
        self.join()


@row(
    "R18",
    title=f"machine reboot ×{REBOOTS}: kill -9 everything, PostgreSQL included, start all",
    promise="durable",
    target="lost 0, doubled 0 with fsync=on, ready ≤ 60 s",
    limit=420,
)
def reboots(system: System, dice: Dice) -> Measured:
    """Kill everything under load, start it again, and look for every accepted task."""
    clients = [Client(system) for _ in range(CLIENTS)]
    slowest = 0.0
    _bring_up(system, clients)
    for client in clients:
        client.start()
    for _ in range(REBOOTS):
        goal = len(system.accepted.ids()) + dice.randrange(150, 400)
        wait_until(
            lambda goal=goal: len(system.accepted.ids()) >= goal, within=60, what="load accepted"
        )
        _go_down(system)
        down_at = time.monotonic()
        system.server.start()
        _bring_up(system, clients)
        slowest = max(slowest, time.monotonic() - down_at)
    for client in clients:
        client.stop()
    system.wait_until_ended(within=90)
    accepted = system.accepted.ids()
    lost = len(accepted) - int(
        system.queries.value(
            "SELECT count(*) FROM tasks_task WHERE id = ANY (%(ids)s) AND status = 'COMPLETED'",
            {"ids": accepted},
        )
    )
    return Measured(
        f"lost {lost} of {len(accepted):,} accepted over HTTP, "
        f"doubled {system.doubled()}; database, web and workers up after at most {slowest:.1f} s",
        met=lost == 0 and slowest <= READY_LIMIT and not system.count(Status.FAILED),
    )


def _bring_up(system: System, clients: list[Client]) -> None:
    web = system.web()
    for client in clients:
        client.url = web.url
    system.workers(processes=2, concurrency=4)
    answer = requests.get(f"{web.url}/health/ready", timeout=10)
    assert answer.ok, answer.text


def _go_down(system: System) -> None:
    """Kill everything at once with SIGKILL."""
    for process in marked():
        os.kill(process.pid, signal.SIGKILL)
    system.server.kill()
