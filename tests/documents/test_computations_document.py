"""Computations: `/process` and `/results`."""

from __future__ import annotations

import pytest

from tests.documents.later import cancelled, later, not_found
from tests.documents.shapes import COUNT, TASK_ID, TEXT, TIME, AtLeast, either, one_of
from tests.documents.site import Site
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("documents")

UNKNOWN = "550e8400-e29b-41d4-a716-446655440000"
QUEUED = {"task_id": TASK_ID, "status": "pending", "message": "Task queued for processing"}
CREATE = """
curl -X POST http://localhost:8000/process \
  -H "Content-Type: application/json" \
  -d '{"data": {"input": 42, "operation": "compute"}}'
"""
CHECK = "curl http://localhost:8000/results/{task_id}"


def test_the_health_check_reports_healthy(site: Site) -> None:
    site.play("curl http://localhost:8000/health").shows(
        200,
        {
            "status": "healthy",
            "database": "ok",
            "queue": {"waiting": COUNT},
            "workers": {"alive": COUNT, "draining": COUNT, "dead": COUNT},
            "checks": AtLeast({"database": {"status": "ok", "message": TEXT}}),
        },
    )


def test_a_task_is_created_without_waiting_for_it(site: Site) -> None:
    site.play(CREATE).shows(202, QUEUED)


def test_the_body_printed_in_the_specification_is_accepted(site: Site) -> None:
    site.play(
        """
POST /process
{
  "data": {
    "input": 42,
    "operation": "compute"
  }
}
        """
    ).shows(202, QUEUED)


def test_a_request_without_a_payload_is_accepted(site: Site) -> None:
    site.play("curl -X POST http://localhost:8000/process").shows(202, QUEUED)


def test_a_task_can_be_created_within_50_ms(site: Site) -> None:
    def is_quick() -> bool:
        exchange = site.play(CREATE)
        exchange.shows(202, QUEUED)
        return exchange.milliseconds < 50

    # On a machine that is busy with other tests most requests are slower.
    wait_until(is_quick, what="a quick answer")


def test_the_documented_computation_has_the_documented_result(site: Site) -> None:
    task_id = site.play(CREATE).shows(202, QUEUED)["task_id"]
    site.play_until(
        CHECK,
        200,
        {
            "task_id": task_id,
            "status": "completed",
            "result": 499999500000,
            "error_message": None,
            "created_at": TIME,
            "completed_at": TIME,
        },
        task_id=task_id,
    )


def test_a_poll_is_answered_in_every_state_of_the_task(site: Site) -> None:
    task_id = site.play(CREATE).shows(202, QUEUED)["task_id"]
    site.play(CHECK, task_id=task_id).shows(
        200,
        {
            "task_id": task_id,
            "status": one_of("pending", "completed"),
            "result": either(None, 499999500000),
            "error_message": None,
            "created_at": TIME,
            "completed_at": either(None, TIME),
        },
    )


def test_a_waiting_task_is_pending(site: Site) -> None:
    task_id = later(site, "compute", {"input": 42, "operation": "compute"})
    site.play(CHECK, task_id=task_id).shows(
        200,
        {
            "task_id": task_id,
            "status": "pending",
            "result": None,
            "error_message": None,
            "created_at": TIME,
            "completed_at": None,
        },
    )


def test_a_cancelled_task_is_failed_with_an_error_message(site: Site) -> None:
    task_id = cancelled(site, "compute", {"input": 42, "operation": "compute"})
    site.play(CHECK, task_id=task_id).shows(
        200,
        {
            "task_id": task_id,
            "status": "failed",
            "result": None,
            "error_message": TEXT,
            "created_at": TIME,
            "completed_at": TIME,
        },
    )


def test_an_unknown_task_is_not_found(site: Site) -> None:
    site.play(CHECK, task_id=UNKNOWN).shows(404, not_found(f"/results/{UNKNOWN}"))


def test_an_unknown_operation_is_refused(site: Site) -> None:
    refused = {"status": 400, "errors": [AtLeast({"field": "data.operation"})]}
    site.play('POST /process\n{"data": {"operation": "guess"}}').shows(400, AtLeast(refused))
