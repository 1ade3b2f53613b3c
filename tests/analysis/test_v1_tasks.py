from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pydoc_data.topics import topics
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from analysis.language.stopwords import is_stop_word
from tasks.models import Status, Task
from tests.api.described import described, fields, post
from tests.factories import make_task

pytestmark = pytest.mark.django_db

TEXT = "To be, or not to be, that is the question."
RESULT = {"word_count": 3, "top_words": ["question"], "characters": 42}


def make_text_task(status: str, **fields: Any) -> Task:
    return make_task(status, kind="text.analyze", input={"text": TEXT}, **fields)


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1/tasks/"])
def test_a_text_is_accepted_in_the_documented_shape(api: APIClient, path: str) -> None:
    response = post(api, path, {"text": TEXT})
    task = Task.objects.get()
    assert response.status_code == 202
    assert response.json() == {"task_id": str(task.id), "status": "PENDING"}
    assert response["Location"] == f"/v1/tasks/{task.id}"
    assert (task.kind, task.input) == ("text.analyze", {"text": TEXT})


def test_a_body_with_the_default_content_type_of_curl_is_accepted(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    curl = "application/x-www-form-urlencoded"
    with django_assert_num_queries(1):
        described(api.post("/v1/tasks", '{"text": "a text"}', content_type=curl))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ([], ""),
        ({"text": 5}, "text"),
        ({"text": None}, "text"),
        ({"text": "x", "kind": "test.script"}, "kind"),
        ({"text": "x" * 2_000_001}, "text"),
    ],
)
def test_invalid_bodies_are_refused(api: APIClient, body: Any, field: str) -> None:
    response = post(api, "/v1/tasks", body)
    assert list(fields(response)) == [field]
    described(response)
    assert not Task.objects.exists()


def test_a_task_is_shown_in_the_documented_shape(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    task = make_text_task(Status.COMPLETED, attempt=2, result=RESULT)
    with django_assert_num_queries(1) as queries:
        shown = described(api.get(f"/v1/tasks/{task.id}"))
    assert '"input"' not in queries.captured_queries[0]["sql"]
    assert list(shown) == [
        "task_id", "status", "retry_count", "result", "error",
        "created_at", "started_at", "finished_at",
    ]  # fmt: skip
    assert (shown["task_id"], shown["status"]) == (str(task.id), "COMPLETED")
    assert shown["result"] == {"word_count": 3, "top_words": ["question"]}
    assert (shown["retry_count"], shown["error"]) == (1, None)
    assert shown["finished_at"].endswith("Z")
    assert api.get(f"/v1/tasks/{task.id}/").json() == shown


def test_a_failed_task_shows_its_error_as_a_text(api: APIClient) -> None:
    shown = described(api.get(f"/v1/tasks/{make_text_task(Status.FAILED).id}"))
    assert (shown["status"], shown["result"]) == ("FAILED", None)
    assert shown["error"] == "requested failure"


def test_the_error_of_an_attempt_that_will_be_retried_is_not_shown(api: APIClient) -> None:
    task = make_text_task(Status.PENDING, attempt=1, error={"detail": "requested failure"})
    assert described(api.get(f"/v1/tasks/{task.id}"))["error"] is None


def test_tasks_of_other_kinds_and_of_other_owners_are_not_found(
    api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    own = make_text_task(Status.PENDING, owner=user)
    other_kind = make_task(owner=user)
    assert described(api_for(user).get(f"/v1/tasks/{own.id}"))["status"] == "PENDING"
    for caller, task_id in ((stranger, own.id), (user, other_kind.id), (user, uuid7())):
        assert api_for(caller).get(f"/v1/tasks/{task_id}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_submitted_text_is_analysed(api: APIClient, run_tasks: Callable[[], None]) -> None:
    task_id = post(api, "/v1/tasks", {"text": TEXT}).json()["task_id"]
    run_tasks()
    shown = described(api.get(f"/v1/tasks/{task_id}"))
    assert shown["status"] == "COMPLETED"
    assert shown["result"]["top_words"] == ["question"]
    full = described(api.get(f"/api/v1/tasks/{task_id}"))
    assert (full["progress"], full["attempt"]) == (100, 1)


@pytest.mark.django_db(transaction=True)
def test_the_words_of_a_whole_book_are_counted(
    api: APIClient, run_tasks: Callable[[], None]
) -> None:
    # Python's own reference manual: several hundred kilobytes that every installation has.
    book = " ".join(re.findall(r"[A-Za-z]+", " ".join(topics.values())))
    assert len(book) > 300_000
    task_id = post(api, "/v1/tasks", {"text": book}).json()["task_id"]
    run_tasks()
    result = api.get(f"/v1/tasks/{task_id}").json()["result"]
    # Counted in another way: split at spaces, and a Counter.
    words = book.lower().split()
    kept = {word: n for word, n in Counter(words).items() if not is_stop_word(word, "en")}
    assert result["word_count"] == sum(kept.values())
    most = sorted(kept, key=lambda word: (-kept[word], words.index(word)))[:5]
    assert result["top_words"] == most
    assert {"class", "object"} <= set(most)
