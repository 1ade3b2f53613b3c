"""The lease's thread also adds counts: what holds those up must not cost the lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tasks.counts import LEASES_LOST, counts
from tasks.models import MetricSum, Worker
from tasks.worker.lease import Lease
from tests.factories import make_worker
from tests.waiting import wait_until
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)

LOCK = ["BEGIN", "LOCK TABLE tasks_metricsum IN ACCESS EXCLUSIVE MODE"]
SLOW = [
    "CREATE FUNCTION test_slow() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$",
    "CREATE TRIGGER test_slow BEFORE INSERT ON tasks_metricsum"
    " FOR EACH ROW EXECUTE FUNCTION test_slow()",
]
UNLOCK = ["ROLLBACK"]
FAST = ["DROP FUNCTION test_slow CASCADE"]


@pytest.fixture
def execute() -> Iterator[Callable[[list[str]], None]]:
    """Return a function that runs statements in a session of its own."""
    with psycopg.connect(database_url(), autocommit=True) as connection:

        def run(statements: list[str]) -> None:
            for statement in statements:
                connection.execute(statement)

        yield run


@pytest.mark.parametrize(("hold", "release"), [(LOCK, UNLOCK), (SLOW, FAST)], ids=["lock", "slow"])
def test_counts_that_cannot_be_added_cost_no_lease_and_are_added_later(
    hold: list[str], release: list[str], execute: Any, settings: Any
) -> None:
    settings.HEARTBEAT_SECONDS = 0.05
    counts.take()
    worker_id = make_worker()
    lost: list[str] = []
    lease = Lease(
        worker_id=worker_id,
        heartbeat_fields=lambda: {
            "state": "running", "running": 0, "processed": 0, "failed": 0, "memory_kib": 1,
            "buffered": 0, "claims": 0, "claim_seconds": 0.0,
        },
        on_claims=lambda claims: None,
        on_cancel=lambda claims: None,
        on_lost=lost.append,
    )  # fmt: skip
    execute(hold)
    try:
        counts.add(LEASES_LOST, by=7)
        lease.start()
        renewed = set()
        for _ in range(4):
            wait_until(lambda: _renewed_at(worker_id) not in renewed, what="renewed")
            renewed.add(_renewed_at(worker_id))
        assert lease.age() < settings.LEASE_SECONDS * 2 / 3
    finally:
        execute(release)
    wait_until(MetricSum.objects.exists, what="added")
    lease.stop()
    lease.join()
    assert MetricSum.objects.get().numbers == [7]
    assert lost == []


def _renewed_at(worker_id: int) -> Any:
    return Worker.objects.get(pk=worker_id).heartbeat_at
