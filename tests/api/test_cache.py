"""Results that are used again, over HTTP and on the task's page."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

import tasks
from tasks.lifecycle.ending import completed
from tasks.models import Status
from tests.api.described import described
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish

pytestmark = pytest.mark.django_db
BODY = {"kind": "test.cached", "input": {"value": 1}}


def test_a_stored_result_is_the_answer(api: APIClient) -> None:
    first = api.post("/api/v1/tasks/", BODY, format="json")
    assert (first.status_code, described(first)["cached_from"]) == (202, None)
    [held] = claim(make_worker())
    finish(completed(held, {"value": 7}))
    second = api.post("/api/v1/tasks/", BODY, format="json")
    document = described(second)
    assert (second.status_code, document["status"]) == (200, Status.COMPLETED)
    assert document["cached_from"] == described(first)["task_id"] != document["task_id"]
    assert (document["result"], document["waiting"]) == ({"value": 7}, None)
    page = api.get(document["links"]["status_page"])
    assert "with the result of an earlier task with the same input" in page.content.decode()
    stored = described(api.get(second.headers["Location"]))
    assert stored["cached_from"] == document["cached_from"]


def test_kinds_say_how_long_results_are_used(api: APIClient) -> None:
    kinds = {kind["name"]: kind for kind in described(api.get("/api/v1/kinds/"))["kinds"]}
    assert kinds["test.cached"]["cache"] == {"ttl": 60, "is_shared": False}
    assert kinds["test.shared"]["cache"] == {"ttl": 60, "is_shared": True}
    assert kinds["test.script"]["cache"] is None
    assert tasks.submit("test.script", {}).cached_from is None
    assert kinds["test.kept"]["retention_days"] == 2
    assert kinds["test.script"]["retention_days"] is None
