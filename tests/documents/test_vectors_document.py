"""Vectors: `/tasks`."""

from __future__ import annotations

import pytest

from tests.documents.later import cancelled, later, not_found
from tests.documents.shapes import TASK_ID, AtLeast, either, one_of
from tests.documents.site import Site

pytestmark = pytest.mark.xdist_group("documents")

UNKNOWN = "c92f1a3b-0000-4000-8000-000000000000"
SUBMIT = """
POST /tasks
Content-Type: application/json
{
  "vector_data": [0.1, 0.2, 0.3],
  "metadata": {"source": "user"}
}
"""
ACCEPTED = {"task_id": TASK_ID, "status": "Processing"}
RESULT = {
    "processed_vectors": 3,
    "status": "indexed",
    "metadata_processed": {"source": "user"},
}
INPUT = {"vector_data": [0.1, 0.2, 0.3], "metadata": {"source": "user"}}
CHECK = "GET /tasks/{task_id}"


def test_a_vector_is_accepted_at_once(site: Site) -> None:
    site.play(SUBMIT).shows(202, ACCEPTED)


def test_polling_finally_shows_success_with_the_documented_result(site: Site) -> None:
    task_id = site.play(SUBMIT).shows(202, ACCEPTED)["task_id"]
    done = {"task_id": task_id, "status": "SUCCESS", "result": RESULT}
    site.play_until(CHECK, 200, done, task_id=task_id)


def test_a_poll_is_answered_in_every_state_of_the_task(site: Site) -> None:
    task_id = site.play(SUBMIT).shows(202, ACCEPTED)["task_id"]
    site.play(CHECK, task_id=task_id).shows(
        200,
        {
            "task_id": task_id,
            "status": one_of("PENDING", "STARTED", "SUCCESS"),
            "result": either(None, RESULT),
        },
    )


def test_a_waiting_task_is_pending(site: Site) -> None:
    task_id = later(site, "vectors.index", INPUT)
    waiting = {"task_id": task_id, "status": "PENDING", "result": None}
    site.play(CHECK, task_id=task_id).shows(200, waiting)


def test_a_cancelled_task_is_revoked(site: Site) -> None:
    task_id = cancelled(site, "vectors.index", INPUT)
    ended = {"task_id": task_id, "status": "REVOKED", "result": None}
    site.play(CHECK, task_id=task_id).shows(200, ended)


def test_a_payload_without_a_vector_is_refused_before_it_is_queued(site: Site) -> None:
    refused = AtLeast({"status": 400, "type": "/problems/invalid-input"})
    site.play('POST /tasks\n{"vector_data": "0.1, 0.2"}').shows(400, refused)


def test_an_unknown_task_is_not_found(site: Site) -> None:
    site.play(CHECK, task_id=UNKNOWN).shows(404, not_found(f"/tasks/{UNKNOWN}"))
