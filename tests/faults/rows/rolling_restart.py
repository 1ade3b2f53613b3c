"""Rolling restart under load: R10."""

from __future__ import annotations

import signal
import threading
import time

from django.db import connection

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

FLEET = 4
ROUNDS = 10
RATE = 30.0
BASELINE_SECONDS = 30.0

P95 = """
    SELECT percentile_cont(0.95) WITHIN GROUP (
        ORDER BY extract(epoch FROM finished_at - created_at)
    )::float
    FROM tasks_task
    WHERE status = 'COMPLETED'
        AND created_at BETWEEN to_timestamp(%(since)s) AND to_timestamp(%(until)s)
"""


class Feeder(threading.Thread):
    """Submits tasks at a steady rate until stopped."""

    def __init__(self, system: System) -> None:
        super().__init__(name="feeder", daemon=True)
        self._system = system
        self._stopped = threading.Event()

    def run(self) -> None:
        """Submit; catch up after a delay."""
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            self._system.submit([prepare("test.effect", {"seconds": 0.1})])
            due += 1 / RATE
        connection.close()

    def stop(self) -> None:
        """Stop submitting."""
        self._stopped.set()
        self.join()


@row(
    "R10",
    title=f"rolling restart of {FLEET} workers ×{ROUNDS} under load",
    promise="zero downtime",
    target="lost 0, doubled 0, p95 latency ≤ 2 × without restarts",
    limit=600,
)
def rolling_restarts(system: System, dice: Dice) -> Measured:
    """Replace each worker ten times, with a new one registered before the old one gets SIGTERM."""
    rounds = 3 if system.quick else ROUNDS
    fleet = [system.workers(processes=1, concurrency=4) for _ in range(FLEET)]
    feeder = Feeder(system)
    feeder.start()
    undisturbed_at = time.time()
    wait_until(lambda: time.time() > undisturbed_at + BASELINE_SECONDS, within=60, what="baseline")
    began_at, codes = time.time(), set()
    for _ in range(rounds):
        for old in list(fleet):
            fleet.append(system.workers(processes=1, concurrency=4))
            fleet.remove(old)
            old.signal(signal.SIGTERM)
            codes.add(old.wait(within=40))
    ended_at = time.time()
    feeder.stop()
    system.wait_until_ended(within=60)
    baseline = _p95(system, undisturbed_at, began_at)
    during = _p95(system, began_at, ended_at)
    accepted = len(system.accepted.ids())
    lost = accepted - system.count(Status.COMPLETED)
    return Measured(
        f"lost {lost} of {accepted:,}, doubled {system.doubled()}; p95 {during * 1000:.0f} ms over "
        f"{rounds * FLEET} restarts in {ended_at - began_at:.0f} s, {baseline * 1000:.0f} ms "
        f"without ({during / baseline:.1f} ×); exit codes {sorted(codes)}",
        met=lost == 0 and codes == {0} and during <= 2 * baseline,
    )


def _p95(system: System, since: float, until: float) -> float:
    return float(system.queries.value(P95, {"since": since, "until": until}))
