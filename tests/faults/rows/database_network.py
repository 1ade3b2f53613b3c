"""Network faults between the system and the database: R24, R25, R26."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import psutil

from tasks.lifecycle.preparation import prepare
from tests.faults.harness.callers import Callers, uncompleted
from tests.faults.harness.processes import Workers
from tests.faults.harness.proxy import Proxy
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

DETECTION_LIMIT = 20.0
CUTS = {b"claim": 170, b"finish": 170, b"submit": 160}


class Cutter:
    """Chooses at random which statements lose their answer, up to a number of each."""

    def __init__(self, dice: Dice, counts: dict[bytes, int]) -> None:
        self._dice = dice
        self.left = Counter(counts)

    def __call__(self, sql: bytes) -> bool:
        """Return whether this one does; a COMMIT is the finish of a transactional handler."""
        name = b"finish" if sql == b"COMMIT" else sql.partition(b":")[0].removeprefix(b"-- ")
        if self.left[name] <= 0 or self._dice.random() > 0.3:
            return False
        self.left[name] -= 1
        return True


@row(
    "R24",
    title="TCP cut after the server committed, before its reply: 500 × claim, finish, submit",
    promise="unknown outcomes are resolved",
    target="lost 0, doubled 0, one task for a repeated POST with its key",
    limit=500,
)
def cut_after_commit(system: System, dice: Dice) -> Measured:
    """Cut 170 claims, 170 finishes and 160 submissions; callers repeat until accepted."""
    share = 5 if system.quick else 1
    with Proxy(_socket(system), dice) as proxy:
        url = proxy.url(system.server.url)
        web = system.web(DATABASE_URL=url)
        system.workers(processes=2, concurrency=2, DATABASE_URL=url)
        cutter = Cutter(dice, {name: count // share for name, count in CUTS.items()})
        proxy.cut_after(cutter)
        kinds = ["test.effect", "test.script"]
        with Callers(
            web.url,
            system.accepted,
            count=2,
            repeat=True,
            body=lambda: {"kind": dice.choice(kinds), "input": {}},
        ) as callers:
            wait_until(lambda: not +cutter.left, within=400, what="all cuts")
        system.wait_until_ended(within=60)
        cuts = proxy.cuts
    accepted = len(set(system.accepted.ids()))
    lost = uncompleted(system)
    doubled = system.queries.value(
        "SELECT coalesce(sum(n - 1), 0)::int FROM"
        " (SELECT count(*) AS n FROM tasks_task GROUP BY metadata ->> 'key') AS by_key"
    )
    return Measured(
        f"{cuts} cuts, {accepted:,} accepted, lost {lost}, effects doubled {system.doubled()}, "
        f"tasks doubled by a repeated POST {doubled}; answers {dict(callers.statuses())}",
        met=not lost and not doubled,
    )


@row(
    "R25",
    title="black hole without RST for 2 min, between the database and both workers and web",
    promise="a timeout, not a hang",
    target="noticed ≤ 20 s; no process needs a manual kill",
    limit=400,
)
def black_hole(system: System, dice: Dice) -> Measured:
    """Drop every packet; then keep the connections and pass nothing on."""
    with Proxy(_socket(system), dice) as proxy:
        url = proxy.url(system.server.url)
        web = system.web(DATABASE_URL=url)
        workers = system.workers(processes=2, DATABASE_URL=url)
        results = []
        with Callers(web.url, system.accepted, count=4) as callers:
            for fail, lasting in ((proxy.swallow, 40 if system.quick else 120), (proxy.stall, 30)):
                calm = time.monotonic()
                wait_until(lambda at=calm: callers.statuses(since=at)[202] > 50, what="load")
                old = {worker.pid for worker in workers.registered()}
                began = time.monotonic()
                fail()
                wait_until(
                    lambda gone=old: not gone & {*_children(workers)}, within=60, what="noticed"
                )
                noticed = time.monotonic() - began
                time.sleep(max(0.0, began + lasting - time.monotonic()))
                proxy.heal()
                healed = time.monotonic()
                wait_until(
                    lambda at=healed: callers.statuses(since=at)[202] > 50,
                    within=60,
                    what="load again",
                )
                workers.wait_until_registered()
                slowest = max(a.seconds for a in callers.answers if began - 5 < a.at < healed)
                results.append((noticed, slowest, time.monotonic() - healed))
        system.wait_until_ended(within=90)
    (hole, slowest, back), (stall, hung, _) = results
    return Measured(
        f"workers noticed after {hole:.1f} s and were replaced, the slowest request answered "
        f"after {slowest:.1f} s, all back {back:.1f} s after; beyond the row, a server that keeps "
        f"connections and is silent for 30 s: workers {stall:.1f} s, slowest request {hung:.1f} s",
        met=hole <= DETECTION_LIMIT and slowest <= DETECTION_LIMIT,
    )


@row(
    "R26",
    title="200 ms of latency with jitter, 1 % of round trips reset",
    promise="slower, correct",
    target="lost 0, doubled 0",
)
def slow_and_unreliable(system: System, dice: Dice) -> Measured:
    """Run 1,000 tasks, half of them submitted over HTTP, over a slow and unreliable network."""
    with Proxy(_socket(system), dice) as proxy:
        url = proxy.url(system.server.url)
        web = system.web(DATABASE_URL=url)
        workers = system.workers(processes=2, concurrency=8, DATABASE_URL=url)
        registered_now = workers.registered()
        proxy.slow(seconds=0.2, jitter=0.1, resets=0.01)
        began = time.monotonic()
        system.submit([prepare("test.effect", {"seconds": 0.01}) for _ in range(500)])
        with Callers(web.url, system.accepted, count=8, pause=0.0) as callers:
            wait_until(lambda: callers.statuses()[202] >= 500, within=200, what="500 accepted")
        system.wait_until_ended(within=120)
        took, resets = time.monotonic() - began, proxy.reset_count
        replaced = len({*registered_now} - {*workers.registered()})
        proxy.heal()
    accepted = len(system.accepted.ids())
    lost = uncompleted(system)
    return Measured(
        f"{accepted:,} tasks in {took:.0f} s over {resets} resets, lost {lost}, "
        f"doubled {system.doubled()}; answers {dict(callers.statuses())}; {replaced} "
        f"worker processes replaced",
        met=lost == 0,
    )


def _socket(system: System) -> Path:
    return system.server.embedded.socket_dir / ".s.PGSQL.5432"


def _children(workers: Workers) -> list[int]:
    return [child.pid for child in psutil.Process(workers.pid).children()]
