"""Language model: workers that call a fake provider, and the circuit to it."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.lifecycle.preparation import prepare
from tasks.models import Breaker, Status
from tasks.submission import Submission
from tests.fakes.openrouter import Fake
from tests.faults.harness.delays import make_all_due
from tests.faults.harness.processes import Workers
from tests.faults.harness.system import System
from tests.waiting import wait_until

TIMEOUT = 2.0
RECOVERY = 6.0
PROCESSES, CONCURRENCY = 2, 4


def start_llm_workers(
    system: System,
    fake: Fake,
    *,
    queues: Sequence[str] = (),
    processes: int = PROCESSES,
    concurrency: int = CONCURRENCY,
    **environment: str,
) -> Workers:
    settings = {
        **fake.environment(),
        "OPENROUTER_TIMEOUT": f"{TIMEOUT:g}s",
        "CIRCUIT_BREAKER_RECOVERY_TIMEOUT": f"{RECOVERY:g}s",
        **environment,
    }
    return system.workers(
        processes=processes, concurrency=concurrency, queues=queues, registered=True, **settings
    )


def texts(
    what: str, count: int, *, attempts: int = 50, queue: str | None = None
) -> list[Submission]:
    inputs = [{"content": f"A text about {what}, the {n}th."} for n in range(count)]
    return [
        prepare("text.summarize", input, max_attempts=attempts, queue=queue) for input in inputs
    ]


def opened_at() -> float | None:
    """Return when the circuit opened; None while it is closed."""
    open_until = Breaker.objects.values_list("open_until", flat=True).first()
    return open_until.timestamp() - RECOVERY if open_until else None


def wait_until_answered(system: System) -> None:
    def ended() -> bool:
        make_all_due(system.queries)
        return not system.count(Status.PENDING, Status.PROCESSING)

    wait_until(ended, within=120, what="all ended")
