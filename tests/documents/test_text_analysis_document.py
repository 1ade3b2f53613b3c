"""Text analysis: `/v1/tasks`."""

from __future__ import annotations

import json

import pytest

from tests.documents.later import later, not_found
from tests.documents.shapes import COUNT, TASK_ID, TEXT, TIME, AtLeast, either, one_of
from tests.documents.site import Site

pytestmark = pytest.mark.xdist_group("documents")

UNKNOWN = "550e8400-e29b-41d4-a716-446655440000"
# The words of the documented result, 123 in all, among stop words.
WORDS = ["data"] * 40 + ["analysis"] * 30 + ["async"] * 20 + ["task"] * 18 + ["system"] * 15
SUBMIT = f"""
POST /v1/tasks
{json.dumps({"text": " ".join(f"The {word} of it." for word in WORDS)})}
"""


def test_a_submitted_text_is_saved_as_pending(site: Site) -> None:
    site.play(SUBMIT).shows(202, {"task_id": TASK_ID, "status": "PENDING"})


def test_a_completed_task_has_the_documented_result(site: Site) -> None:
    task_id = site.play(SUBMIT).shows(202, AtLeast({"task_id": TASK_ID}))["task_id"]
    site.play_until(
        "GET /v1/tasks/{task_id}",
        200,
        {
            "task_id": task_id,
            "status": "COMPLETED",
            "retry_count": 0,
            "result": {
                "word_count": 123,
                "top_words": ["data", "analysis", "async", "task", "system"],
            },
            "error": None,
            "created_at": TIME,
            "started_at": TIME,
            "finished_at": TIME,
        },
        task_id=task_id,
    )


def test_a_poll_is_answered_in_every_state_of_the_task(site: Site) -> None:
    task_id = site.play(SUBMIT).shows(202, AtLeast({"task_id": TASK_ID}))["task_id"]
    site.play("GET /v1/tasks/{task_id}", task_id=task_id).shows(
        200,
        {
            "task_id": task_id,
            "status": one_of("PENDING", "PROCESSING", "COMPLETED"),
            "retry_count": COUNT,
            "result": either(None, {"word_count": COUNT, "top_words": [TEXT] * 5}),
            "error": None,
            "created_at": TIME,
            "started_at": either(None, TIME),
            "finished_at": either(None, TIME),
        },
    )


def test_a_pending_task_has_neither_result_nor_times(site: Site) -> None:
    task_id = later(site, "text.analyze", {"text": "data"})
    site.play("GET /v1/tasks/{task_id}", task_id=task_id).shows(
        200,
        {
            "task_id": task_id,
            "status": "PENDING",
            "retry_count": 0,
            "result": None,
            "error": None,
            "created_at": TIME,
            "started_at": None,
            "finished_at": None,
        },
    )


def test_invalid_input_is_refused_at_once(site: Site) -> None:
    refused = {"status": 400, "errors": [{"field": "text", "message": TEXT}]}
    site.play('POST /v1/tasks\n{"text": 123}').shows(400, AtLeast(refused))


def test_an_unknown_task_is_not_found(site: Site) -> None:
    exchange = site.play("GET /v1/tasks/{task_id}", task_id=UNKNOWN)
    exchange.shows(404, not_found(f"/v1/tasks/{UNKNOWN}"))
