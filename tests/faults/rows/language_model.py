"""Language model provider: outages and invalid answers: R48, R49."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import psutil
import requests

from tasks.models import Status, Task
from tests.fakes.openrouter import Fake
from tests.faults.harness.language_model import (
    RECOVERY,
    opened_at,
    start_llm_workers,
    texts,
    wait_until_answered,
)
from tests.faults.harness.processes import Workers
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

OUTAGES = ("500", "502", "503", "hang", "drip", "reset mid-body")
INTERVALS = 4
RETRY_AFTER = 2.0
# Calls that the circuit let through before it opened may arrive this much later.
ON_ITS_WAY = 0.5
FAILING = (
    "200 error", "200 error word", "choice error", "invalid json", "no object", "deep", "not utf-8",
    "no choices", "strange choices", "empty", "null", "truncated", "redirect", "large",
    "large endless",
)  # fmt: skip
CLEANED = ("nul", "parts", "length")


@row(
    "R48",
    title="the provider answers 500, 502, 503, nothing, byte by byte, in part; 429 with "
    "Retry-After",
    promise="the circuit opens and half-opens",
    target="≤ 1 probe an interval; closes ≤ 1 probe after recovery; 429: the pause is kept",
    limit=600,
)
def outages(system: System, dice: Dice) -> Measured:
    """Let each failure last for several intervals, end it, and check every call that came."""
    summaries, too_many, late, slowest = [], 0, 0, 0.0
    with Fake(latency=0.05) as fake:
        start_llm_workers(system, fake, TASK_RETRY_DELAY="0.2")
        for failure in OUTAGES[::3] if system.quick else OUTAGES:
            fake.behaviour = failure
            system.submit(texts(failure, 40))
            opened = wait_until(opened_at, within=60, what="the circuit opens")
            time.sleep(INTERVALS * RECOVERY)
            fake.behaviour, healed_at = "ok", time.time()
            calls = [call["at"] for call in fake.calls]
            probes = [at for at in calls if at > opened + ON_ITS_WAY]
            too_many += sum(_more_than_one(probes))
            wait_until(lambda: opened_at() is None, within=60, what="the circuit closes")
            closed_at = time.time()
            first = min(call["at"] for call in fake.calls if call["at"] >= healed_at)
            late += int((closed_at - first) / RECOVERY)
            slowest = max(slowest, closed_at - healed_at)
            summaries.append(f"{failure} {len(probes)}")
            wait_until_answered(system)
        kept = _throttled(system, fake)
    completed, accepted = system.count(Status.COMPLETED), len(system.accepted.ids())
    return Measured(
        f"probes in {INTERVALS} intervals of {RECOVERY:g} s: {', '.join(summaries)}; {too_many} "
        f"more than one an interval; {late} more than one from recovery to closing, which took at "
        f"most {slowest:.1f} s; with Retry-After {RETRY_AFTER:g} s no call repeated before "
        f"{kept:.1f} s; {completed} of {accepted} tasks completed",
        met=not too_many and not late and kept >= RETRY_AFTER and completed == accepted,
    )


@row(
    "R49",
    title="200 with an error inside, broken or truncated JSON, no choices, 50 MB, NUL, surrogates",
    promise="handled as a failure, or cleaned",
    target="5xx 0, stuck 0",
    limit=300,
)
def strange_answers(system: System, dice: Dice) -> Measured:
    """Submit tasks over HTTP for each strange answer, and read their end over HTTP."""
    web = system.web()
    each = 2 if system.quick else 10
    answers: Counter[int] = Counter()
    wrong = stuck = 0
    with Fake() as fake:
        workers = start_llm_workers(system, fake, CIRCUIT_BREAKER_FAILURE_THRESHOLD="1000")
        before = _largest_rss(workers)
        for behaviour in (*FAILING, *CLEANED):
            fake.behaviour = behaviour
            ids = [_post(system, web.url, f"{behaviour} {n}", answers) for n in range(each)]
            stuck += _stuck(ids)
            for task_id in ids:
                answer = requests.get(f"{web.url}/api/v1/tasks/{task_id}", timeout=30)
                answers[answer.status_code] += 1
                wrong += not _is_right(answer.json(), is_cleaned=behaviour in CLEANED)
        grown = _largest_rss(workers) - before
    failures = sum(count for status, count in answers.items() if status >= 500)
    return Measured(
        f"{len(FAILING)} answers that are failures and {len(CLEANED)} to be cleaned × {each}: "
        f"{wrong} ended otherwise, stuck {stuck}; of {sum(answers.values())} requests 5xx "
        f"{failures}; a worker grew by at most {grown:.0f} MiB",
        met=not wrong and not stuck and not failures,
    )


def _more_than_one(probes: Sequence[float]) -> list[bool]:
    # The database's clock sets the interval and ours measures it: allow a small difference.
    return [b - a < 0.95 * RECOVERY for a, b in pairwise(probes)]


def _throttled(system: System, fake: Fake) -> float:
    """Return the shortest pause before a call was repeated after a 429."""
    fake.calls.clear()
    fake.behaviour = "429"
    system.submit(texts("429", 40))
    time.sleep(4 * RETRY_AFTER)
    calls: dict[str, list[float]] = {}
    for call in list(fake.calls):
        calls.setdefault(call["prompt"], []).append(call["at"])
    fake.behaviour = "ok"
    wait_until_answered(system)
    gaps = [b - a for times in calls.values() for a, b in pairwise(times)]
    return min(gaps, default=0.0)


def _post(system: System, url: str, text: str, answers: Counter[int]) -> str:
    body = {"kind": "text.summarize", "input": {"content": text}, "max_attempts": 1}
    answer = requests.post(f"{url}/api/v1/tasks/", json=body, timeout=30)
    answers[answer.status_code] += 1
    task_id = str(answer.json()["task_id"])
    system.accepted.add([task_id])
    return task_id


def _stuck(ids: Sequence[str]) -> int:
    """Return how many tasks have not ended within 60 s."""
    end = time.monotonic() + 60
    while (left := Task.objects.filter(pk__in=ids, finished_at=None).count()) and (
        time.monotonic() < end
    ):
        time.sleep(0.05)
    return left


def _is_right(task: dict[str, object], *, is_cleaned: bool) -> bool:
    if not is_cleaned:
        return task["status"] == Status.FAILED and bool(task["error"])
    text = str(task["result"])
    return task["status"] == Status.COMPLETED and not {"\0", "\ud800"} & set(text)


def _largest_rss(workers: Workers) -> float:
    return (
        max(psutil.Process(worker.pid).memory_info().rss for worker in workers.registered()) / 2**20
    )
