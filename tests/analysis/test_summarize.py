from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from analysis.summarize.extract import summarize
from analysis.summarize.handler import handle
from analysis.summarize.sentences import sentences
from tasks import kinds, lifecycle, submit
from tasks.errors import InvalidInput
from tasks.models import Breaker, Status, Task, Worker
from tasks.models.attempt import history_of
from tests.api.described import described, fields, post
from tests.factories import make_context, make_task
from tests.fakes.openrouter import Fake
from tests.waiting import wait_until
from tests.workers import WorkerCommand

ARTICLE = """Solar storm brings rare auroras

Skywatchers across Europe and North America were treated to a rare display of the northern lights
on Friday night after the strongest geomagnetic storm in two decades reached Earth. The U.S. Space
Weather Prediction Center said the storm was rated G5, the highest level on its scale.

The storm was caused by sunspots about 17 times the diameter of Earth. Dr. Anna Weber, a physicist,
said the event was remarkable. Power grid operators reported irregularities, but no outages. He
slept. Farmers said that the satellite navigation of their tractors failed during the storm."""

COUNTED = "In short, 3 words: a short text."


def test_the_kind_is_registered_with_its_limits_and_checks_its_input() -> None:
    kind = kinds.get("text.summarize")
    assert (kind.queue, kind.time_limit) == ("llm", 300)
    kind.validate({"content": "a" * 200_000})
    for invalid in ({}, {"content": " \n"}, {"content": 1}, {"content": "a" * 200_001},
                  {"content": "a", "text": "a"}):  # fmt: skip
        with pytest.raises(InvalidInput):
            kind.validate(invalid)


def test_without_a_key_the_summary_consists_of_sentences_of_the_text() -> None:
    result = handle({"content": ARTICLE}, make_context())
    assert (result["provider"], result["model"], result["cached"]) == (
        "embedded", "sumbasic", False,
    )  # fmt: skip
    assert result["summary"].startswith("Skywatchers across Europe")
    assert result["summary_characters"] < result["content_characters"] / 1.5
    flat = " ".join(ARTICLE.split())
    for sentence in sentences(result["summary"], "en"):
        assert sentence in flat


def test_abbreviations_do_not_end_a_sentence() -> None:
    cut = sentences(ARTICLE, "en")
    assert len(cut) == 7
    assert cut[1].startswith("The U.S. Space Weather")
    assert cut[3].startswith("Dr. Anna Weber")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("hello", "hello"),
        ("This is a test document to summarize.", "This is a test document to summarize."),
        ("!!!", "!!!"),
        ("One. Two. Three.", "One."),
        ("研究小组使用了火星车的数据。", "研究小组使用了火星车的数据。"),
    ],
)
def test_a_short_text_is_its_own_summary(text: str, summary: str) -> None:
    assert summarize(text) == summary


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("A. " * 3 + "Bee. Cee.", ["A. A. A. Bee.", "Cee."]),
        # A paragraph ends a sentence even after an abbreviation.
        ("We met Dr.\n\nWeber came. ok then.", ["We met Dr.", "Weber came. ok then."]),
        ("Head\n\nOne is here.\n\nTwo.", ["One is here.", "Two."]),
        ("Head\n\nOther", ["Head", "Other"]),
    ],
)
def test_paragraphs_and_abbreviations_bound_sentences(text: str, cut: list[str]) -> None:
    assert sentences(text, "en") == cut


def test_a_text_of_abbreviations_is_summarised_at_once() -> None:
    assert summarize("A. " * 66_000) == ("A. " * 200)[:599].rstrip() + "…"


def test_a_text_without_sentences_has_a_summary_of_bounded_length() -> None:
    assert len(summarize("word " * 40_000)) <= 600


@pytest.mark.django_db
def test_with_a_key_the_model_summarises(provider: Fake) -> None:
    first, second = (handle({"content": "a short text"}, make_context()) for _ in range(2))
    assert first == {
        "summary": COUNTED,
        "provider": "openrouter",
        "model": "fake/model",
        "cached": False,
        "content_characters": 12,
        "summary_characters": len(COUNTED),
        "cut": False,
        "tokens": 42,
    }
    assert second == {**first, "cached": True}
    assert len(provider.calls) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/tasks/summarize/", "/api/v1/tasks/summarize"])
def test_a_text_is_accepted_by_the_documented_route(api: APIClient, path: str) -> None:
    response = post(api, path, {"content": "a text"})
    task = Task.objects.get()
    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/tasks/{task.id}"
    document = described(response) if path.endswith("/") else response.json()
    assert document["task_id"] == str(task.id)
    assert (document["status"], document["kind"]) == ("PENDING", "text.summarize")
    assert task.input == {"content": "a text"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "content"), ([], ""), ({"content": 5}, "content"), ({"content": ""}, "content")],
)
def test_invalid_bodies_are_refused(api: APIClient, body: Any, field: str) -> None:
    assert list(fields(post(api, "/api/v1/tasks/summarize/", body))) == [field]
    assert not Task.objects.exists()


@pytest.mark.django_db
def test_the_page_shows_the_summary_escaped(client: Any) -> None:
    result = {**handle({"content": ARTICLE}, make_context()), "summary": "<b>Sky</b>"}
    task = make_task(Status.COMPLETED, kind="text.summarize", result=result)
    page = client.get(f"/ui/tasks/{task.pk}/").content.decode()
    assert "&lt;b&gt;Sky" in page
    assert "sentences taken from the text, without a model" in page


@pytest.mark.django_db(transaction=True)
def test_a_rate_limit_uses_no_attempt(provider: Fake, worker: Callable[..., WorkerCommand]) -> None:
    provider.script.extend(["429", "200 error", "ok"])
    task = submit("text.summarize", {"content": "a short text"})
    worker(**provider.environment())
    wait_until(lambda: _status(task) == Status.COMPLETED, what="completed")
    assert task.result
    assert task.result["summary"] == COUNTED
    assert [attempt.outcome for attempt in history_of(task)] == ["snoozed", "failed", "completed"]
    assert (task.attempt, task.retry_count) == (2, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("do", ["400", "401", "402", "403"])
def test_a_refusal_fails_the_task_after_one_call(
    provider: Fake, worker: Callable[..., WorkerCommand], do: str
) -> None:
    provider.behaviour = do
    task = submit("text.summarize", {"content": "a short text"})
    started = worker(**provider.environment())
    wait_until(lambda: _status(task) == Status.FAILED, what="failed")
    assert len(provider.calls) == 1
    errors = [task.error, [attempt.error for attempt in task.attempts.all()]]
    texts = json.dumps(errors) + started.output()
    for secret in ("sk-or-fake", "secret prompt", "a short text"):
        assert secret not in texts
    assert Breaker.objects.filter(open_until__isnull=False).exists() == (do == "402")


@pytest.mark.django_db(transaction=True)
def test_in_an_outage_the_circuit_opens_and_no_task_is_lost(
    provider: Fake, worker: Callable[..., WorkerCommand]
) -> None:
    provider.behaviour = "502"
    tasks = [submit("text.summarize", {"content": f"text {number}"}) for number in range(30)]
    worker(concurrency=10, CIRCUIT_BREAKER_RECOVERY_TIMEOUT="1", **provider.environment())
    wait_until(lambda: Breaker.objects.filter(open_until__isnull=False).exists(), what="open")
    # Four had failed and ten were running when the fifth failed; from then on it is one at a time.
    wait_until(lambda: Breaker.objects.get(name="openrouter").fence >= 4, what="retried")
    assert len(provider.calls) <= 10 + 4 + Breaker.objects.get(name="openrouter").fence
    provider.behaviour = "ok"
    wait_until(lambda: all(_status(task) == Status.COMPLETED for task in tasks), what="all done")
    assert Breaker.objects.get(name="openrouter").open_until is None


@pytest.mark.django_db(transaction=True)
def test_after_a_crash_the_answer_comes_from_the_cache(
    provider: Fake, worker: Callable[..., WorkerCommand]
) -> None:
    provider.latency = 1.0
    task = submit("text.summarize", {"content": "a short text"})
    with transaction.atomic():
        first = worker(queues=["llm"], **provider.environment())
        wait_until(lambda: _status(task) == Status.PROCESSING, what="claimed")
        # While this transaction holds the row, the worker cannot finish the task.
        Task.objects.select_for_update().get(pk=task.pk)
        wait_until(_is_cached, what="answered")
        pids = first.pids()
        first.popen.kill()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        # The database continues a statement after its client has died, so end it as well.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'worker finish' AND datname = current_database()"
            )
    Worker.objects.update(heartbeat_at="2001-01-01T00:00Z")
    wait_until(lambda: lifecycle.rescue() == 1, what="rescued")
    worker(**provider.environment())
    wait_until(lambda: _status(task) == Status.COMPLETED, what="completed")
    assert task.result
    assert task.result["cached"]
    assert len(provider.calls) == 1


def _status(task: Task) -> str:
    task.refresh_from_db()
    return task.status


def _is_cached() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tasks_cache")
        return bool(cursor.fetchone()[0])
