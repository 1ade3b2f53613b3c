"""Metrics of killed workers: R56."""

from __future__ import annotations

from typing import LiteralString

import requests
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from tasks.counts import ENDED, MOVED, STARTED, SUBMITTED, counts
from tasks.lifecycle.preparation import prepare
from tasks.metrics.flusher import flush
from tasks.models import Outcome, Status
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

TASKS, KILLS = 50_000, 20
QUICK_TASKS, QUICK_KILLS = 2_000, 5
KIND = "test.effect"
# A process adds its counts so often, after a renewal that takes a part of another second.
LOST_SECONDS = settings.HEARTBEAT_SECONDS + 1.0
# What killed workers did in their last seconds: at most that is missing in the counters.
LAST_DEEDS: LiteralString = """
    SELECT
        count(*) FILTER (WHERE ending.became = 'COMPLETED'),
        count(*) FILTER (WHERE claim.at > fault.at - %(seconds)s * interval '1 s')
    FROM faults_fault AS fault
    JOIN faults_history AS claim
        ON claim.worker_id = fault.worker_id AND claim.became = 'PROCESSING'
        AND claim.at <= fault.at
    LEFT JOIN faults_history AS ending
        ON ending.task_id = claim.task_id AND ending.lease = claim.lease
        AND ending.was = 'PROCESSING'
        AND ending.at BETWEEN fault.at - %(seconds)s * interval '1 s' AND fault.at
"""
CLAIMS: LiteralString = "SELECT count(*) FROM faults_history WHERE became = 'PROCESSING'"
RELEASES: LiteralString = """
    SELECT count(*) FROM faults_history WHERE was = 'PROCESSING' AND became = 'PENDING'
"""
RESCUES: LiteralString = "SELECT count(*) FROM tasks_attempt WHERE outcome = %(lost)s"


class Scrape:
    """One scrape: its values, summed over the labels that are not named."""

    def __init__(self, url: str) -> None:
        answer = requests.get(f"{url}/metrics", timeout=10)
        answer.raise_for_status()
        families = text_string_to_metric_families(answer.text)
        self._samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@row(
    "R56",
    title=f"the counters of /metrics against SQL, {TASKS:,} tasks, {KILLS} SIGKILLs of workers",
    promise="gauges are exact; a killed process loses only the counts of its last 5 s",
    target="difference 0 for gauges and submits; ends and starts short by at most the bound",
    limit=1_000,
)
def counters_against_sql(system: System, dice: Dice) -> Measured:
    """Kill workers at random points, then compare one scrape with the tables."""
    tasks, kills = (QUICK_TASKS, QUICK_KILLS) if system.quick else (TASKS, KILLS)
    web = system.web()
    workers = system.workers(processes=4, concurrency=4)
    # What this process has counted in rows before is not of this database.
    counts.take()
    system.submit([prepare(KIND, {"seconds": 0.02}) for _ in range(tasks)])
    flush()
    for goal in sorted(dice.randrange(tasks // 100, tasks * 9 // 10) for _ in range(kills)):
        wait_until(
            lambda goal=goal: system.count(Status.COMPLETED) >= goal, within=300, what="progress"
        )
        system.kill(dice.choice(wait_until(workers.registered, what="a living worker")))
    system.wait_until_ended(within=180)
    # Processes that are asked to stop add what they have counted.
    workers.end()
    scraped = Scrape(web.url)
    exact = {
        "completed": (scraped("tasks_stored", status="COMPLETED"), system.count(Status.COMPLETED)),
        "waiting": (scraped("tasks_waiting"), system.count(Status.PENDING)),
        "submitted": (scraped(f"{SUBMITTED.name}_total"), tasks),
    }
    compared = [f"{shown:g} of {real:,} {name}" for name, (shown, real) in exact.items()]
    ((last_ends, last_claims),) = system.queries.rows(LAST_DEEDS, {"seconds": LOST_SECONDS})
    claims, releases = (int(system.queries.value(each)) for each in (CLAIMS, RELEASES))
    ended = tasks - scraped(f"{ENDED.name}_total", status="COMPLETED")
    started = claims - scraped(f"{STARTED.name}_total")
    rescued = scraped(f"{MOVED.name}_total", transition="rescue")
    rescues = int(system.queries.value(RESCUES, {"lost": Outcome.LOST.value}))
    return Measured(
        f"shown {', '.join(compared)}; of {tasks:,} ends {ended:g} are missing, at most"
        f" {last_ends:,} may be; of {claims:,} claims {started:g} are not counted as started, at"
        f" most {last_claims + releases:,} may be; {rescued:g} of {rescues} rescues counted",
        met=all(shown == real for shown, real in exact.values())
        and 0 <= ended <= last_ends
        and 0 <= started <= last_claims + releases
        and 0 <= rescued <= rescues,
    )
