"""Summaries: `/api/v1/`, monitoring and health."""

from __future__ import annotations

from typing import Any

import pytest

from tests.documents.later import cancelled, not_found
from tests.documents.shapes import (
    COUNT,
    NUMBER,
    TASK_ID,
    TEXT,
    TIME,
    AtLeast,
    Each,
    either,
    one_of,
)
from tests.documents.site import Site

pytestmark = pytest.mark.xdist_group("documents")

UNKNOWN = "550e8400-e29b-41d4-a716-446655440000"
STATUSES = ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELLED")
CREATE = """
curl -X POST http://localhost:8000/api/v1/tasks/summarize/ \
  -H "Content-Type: application/json" \
  -d '{"content": "This is a test document to summarize."}'
"""
TASK = "curl http://localhost:8000/api/v1/tasks/{task_id}"
BREAKER = {
    "state": one_of("closed", "open", "half-open"),
    "failures": COUNT,
    "retry_at": either(None, TIME),
    "last_error": either("", TEXT),
    "last_failure_at": either(None, TIME),
}


def task_of(status: str, **others: Any) -> AtLeast:
    """Return the expected document of a task in a status."""
    common = {
        "task_id": TASK_ID, "kind": "text.summarize", "queue": "llm", "status": status,
        "attempt": COUNT, "retry_count": COUNT, "max_attempts": 4,
        "created_at": TIME, "scheduled_at": None, "metadata": {},
        "links": {"self": TEXT, "status_page": TEXT, "retry": either(None, TEXT),
                  "cancel": either(None, TEXT)},
    }  # fmt: skip
    return AtLeast({**common, **others})


def failed(site: Site) -> str:
    """Submit a task that fails; return its id once it has failed."""
    accepted = site.play(
        """
POST /api/v1/tasks/
{"kind": "conversation.continue", "input": {"conversation_id": "no such conversation"}}
        """
    ).shows(202, AtLeast({"task_id": TASK_ID}))
    ended = AtLeast({"status": "FAILED", "lane": "dlq", "attempt": 1, "retry_count": 0})
    site.play_until(TASK, 200, ended, task_id=accepted["task_id"])
    return str(accepted["task_id"])


def test_a_task_is_created_and_its_id_returned_immediately(site: Site) -> None:
    site.play(
        """
POST /api/v1/tasks/summarize/
Content-Type: application/json
{"content": "Text to summarize"}
        """
    ).shows(202, task_of("PENDING", input={"content": "Text to summarize"}, result=None))


def test_the_test_document_is_summarised(site: Site) -> None:
    task_id = site.play(CREATE).shows(202, task_of("PENDING"))["task_id"]
    site.play_until(
        TASK,
        200,
        task_of(
            "COMPLETED",
            result=AtLeast({"summary": TEXT, "provider": TEXT}),
            error=None,
            started_at=TIME,
            finished_at=TIME,
        ),
        task_id=task_id,
    )


def test_the_queue_status_separates_lanes_from_statuses(site: Site) -> None:
    load = {
        "pending": COUNT,
        "processing": COUNT,
        "blocked": COUNT,
        "oldest_age_s": either(None, NUMBER),
        "paused": one_of(True, False),
    }
    site.play("curl http://localhost:8000/api/v1/queues/status").shows(
        200,
        {
            "queues": {"primary": COUNT, "retry": COUNT, "scheduled": COUNT, "dlq": COUNT},
            "states": dict.fromkeys(STATUSES, COUNT),
            "retry_ratio": 0.3,
            "by_queue": Each(load),
            "timestamp": TIME,
        },
    )


def test_a_completed_task_is_counted_in_the_states_and_in_no_lane(site: Site) -> None:
    task_id = site.play(CREATE).shows(202, task_of("PENDING"))["task_id"]
    site.play_until(TASK, 200, task_of("COMPLETED", lane=None), task_id=task_id)
    shown = site.play("curl http://localhost:8000/api/v1/queues/status").shows(200, AtLeast({}))
    assert shown["states"]["COMPLETED"] >= 1
    assert shown["queues"]["dlq"] == shown["states"]["FAILED"]


def test_the_system_is_healthy(site: Site) -> None:
    site.play("GET /health").shows(200, AtLeast({"status": "healthy", "database": "ok"}))


def test_the_workers_and_circuit_breakers_are_shown(site: Site) -> None:
    worker = {
        "id": COUNT, "name": TEXT, "host": TEXT, "pid": COUNT, "queues": Each(TEXT),
        "concurrency": COUNT, "running": COUNT, "processed": COUNT, "failed": COUNT,
        "started_at": TIME, "last_heartbeat": TIME,
        "state": one_of("alive", "draining", "dead"),
    }  # fmt: skip
    site.play("curl http://localhost:8000/health/workers").shows(
        200, {"workers": Each(worker), "circuit_breakers": AtLeast({"openrouter": BREAKER})}
    )


def test_the_circuit_breakers_are_reset(site: Site) -> None:
    site.play("curl -X POST http://localhost:8000/health/workers/reset-circuit-breaker").shows(
        200, {"reset": Each(TEXT), "circuit_breakers": AtLeast({"openrouter": BREAKER})}
    )


def test_the_workers_are_diagnosed_in_detail(site: Site) -> None:
    exchange = site.play("curl http://localhost:8000/health/workers/diagnostics")
    worker = AtLeast({"id": COUNT, "memory_kib": COUNT, "running_tasks": Each(TASK_ID)})
    exchange.shows(200, AtLeast({"workers": Each(worker), "slow_tasks": Each(AtLeast({}))}))


def test_the_dead_letter_queue_lists_a_failed_task(site: Site) -> None:
    task_id = failed(site)
    group = {"kind": TEXT, "error_type": either(None, TEXT), "count": COUNT}
    shown = site.play("curl http://localhost:8000/api/v1/queues/dlq").shows(
        200,
        {
            "groups": Each(group),
            "next": either(None, TEXT),
            "previous": None,
            "results": Each(AtLeast({"task_id": TASK_ID, "status": "FAILED", "lane": "dlq"})),
        },
    )
    assert task_id in [task["task_id"] for task in shown["results"]]


def test_a_failed_task_is_retried_by_hand(site: Site) -> None:
    task_id = failed(site)
    again = AtLeast({"task_id": task_id, "status": "PENDING", "lane": "retry"})
    site.play("POST /api/v1/tasks/{task_id}/retry", task_id=task_id).shows(202, again)
    site.play_until(TASK, 200, AtLeast({"status": "FAILED", "attempt": 2}), task_id=task_id)


def test_a_completed_task_cannot_be_retried(site: Site) -> None:
    task_id = site.play(CREATE).shows(202, task_of("PENDING"))["task_id"]
    site.play_until(TASK, 200, task_of("COMPLETED"), task_id=task_id)
    refused = AtLeast({"status": 409, "title": TEXT})
    site.play("POST /api/v1/tasks/{task_id}/retry", task_id=task_id).shows(409, refused)


def test_tasks_are_listed_by_status(site: Site) -> None:
    task_id = cancelled(site, "text.summarize", {"content": "Text to summarize"})
    shown = site.play("GET /api/v1/tasks/?status=CANCELLED").shows(
        200,
        {
            "next": either(None, TEXT),
            "previous": None,
            "results": Each(AtLeast({"task_id": TASK_ID, "status": "CANCELLED"})),
        },
    )
    assert shown["results"][0]["task_id"] == task_id


def test_orphaned_tasks_are_rescued_on_request(site: Site) -> None:
    site.play("POST /api/v1/tasks/requeue-orphaned").shows(200, {"requeued": COUNT})


def test_a_task_is_deleted(site: Site) -> None:
    task_id = cancelled(site, "text.summarize", {"content": "Text to summarize"})
    site.play("DELETE /api/v1/tasks/{task_id}", task_id=task_id).shows(204)
    gone = not_found(f"/api/v1/tasks/{task_id}")
    site.play(TASK, task_id=task_id).shows(404, gone)


def test_an_unknown_task_is_not_found(site: Site) -> None:
    site.play(TASK, task_id=UNKNOWN).shows(404, not_found(f"/api/v1/tasks/{UNKNOWN}"))


def test_the_api_documentation_is_served(site: Site) -> None:
    page = site.play("curl http://localhost:8000/docs")
    page.shows(200, TEXT)
    assert page.content_type == "text/html"


def test_the_pages_for_people_are_served(site: Site) -> None:
    page = site.play("curl http://localhost:8000/")
    page.shows(200, TEXT)
    assert page.content_type == "text/html"
