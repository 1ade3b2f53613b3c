"""Spans of real processes, as a collector receives them: from the request to the callback."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests

from tests.callbacks.receiver import Receiver, receiver
from tests.fakes.collector import Collector, collector
from tests.project.conftest import open_directory
from tests.project.running import Up, up
from tests.waiting import wait_until

CALLER = "00f067aa0ba902b7"
_SCRIPT = ["wait test.script", "attempt test.script"]


@pytest.fixture(scope="module")
def spans() -> Iterator[Collector]:
    with collector() as server:
        yield server


@pytest.fixture(scope="module")
def system(spans: Collector) -> Iterator[Up]:
    settings = {
        "EXTRA_APPS": "tests.script",
        "CALLBACK_ALLOW_PRIVATE": "true",
        "LOG_LEVEL": "INFO",
        "LOG_JSON": "true",
    }
    with (
        open_directory() as directory,
        up(directory / "data", **settings, **spans.environment()) as running,
    ):
        running.wait_until_started()
        yield running


@pytest.fixture
def callbacks() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def trace() -> str:
    """Return the id of a trace that no other test has."""
    return os.urandom(16).hex()


def submit(system: Up, path: str = "", *, headers: dict[str, str], **body: Any) -> Any:
    url = f"http://127.0.0.1:{system.port}/api/v1/tasks/{path}"
    answer = requests.post(url, json=body, headers=headers, timeout=30)
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", ["test.traced", "test.isolated_traced"])
def test_a_trace_leads_from_the_caller_to_the_callback(
    system: Up, spans: Collector, callbacks: Receiver, trace: str, kind: str
) -> None:
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    task = submit(system, headers=headers, kind=kind, callback_url=callbacks.url())
    (submitted,) = spans.wait_for(f"submit {kind}", trace)
    spans.wait_for("attempt callback.deliver", trace)
    spans.wait_for("attempt test.script", trace, count=2)
    (own,) = spans.wait_for("works", trace)
    (failed, completed) = spans.wait_for(f"attempt {kind}", trace, count=2)
    follow_up = ("submit test.script", _SCRIPT)
    assert spans.tree(trace) == {
        CALLER: [
            (
                f"submit {kind}",
                [
                    f"wait {kind}",
                    (f"attempt {kind}", ["tries"]),
                    f"wait {kind}",
                    (f"attempt {kind}", [("works", [follow_up, follow_up])]),
                    "wait callback.deliver",
                    "attempt callback.deliver",
                ],
            )
        ]
    }
    assert submitted.attributes == {"task.id": task["task_id"], "task.queue": "default"}
    assert (submitted.kind, submitted.service) == ("PRODUCER", "tasks")
    assert (failed.kind, failed.error) == ("CONSUMER", "the first attempt fails")
    assert failed.attributes.pop("task.worker")
    assert failed.attributes == {
        "task.id": task["task_id"],
        "task.kind": kind,
        "task.queue": "default",
        "task.attempt": 1,
        "task.outcome": "failed",
        "task.status": "PENDING",
        "error.type": "ValueError",
    }
    assert (completed.error, completed.attributes["task.outcome"]) == (None, "completed")
    assert (completed.attributes["task.attempt"], completed.attributes["task.status"]) == (
        2,
        "COMPLETED",
    )
    assert (own.attributes, own.events, own.scope) == ({"numbers": [1, 2]}, ["begins"], "handler")
    (delivery,) = spans.named("attempt callback.deliver", trace)
    (request,) = callbacks.received
    assert request.headers["traceparent"] == f"00-{trace}-{delivery.id}-01"
    for before, after in zip(spans.named(f"wait {kind}", trace), (failed, completed), strict=True):
        assert before.end == after.start
        assert before.start < before.end


def test_the_log_names_the_same_trace_where_the_caller_sent_none(
    system: Up, spans: Collector
) -> None:
    task = submit(system, headers={}, kind="test.script")
    (attempt,) = spans.wait_for("attempt test.script", task["task_id"])
    (root,) = spans.wait_for("submit test.script", task["task_id"])
    assert (root.parent, attempt.parent) == ("", root.id)
    assert attempt.trace_id == root.trace_id

    def lines() -> list[str]:
        return [line for line in system.output.splitlines() if task["task_id"] in line]

    # The task's submission and its end.
    wait_until(lambda: len(lines()) == 2)
    assert {json.loads(line)["trace_id"] for line in lines()} == {root.trace_id}


def test_a_caller_that_is_not_sampled_causes_no_spans(
    system: Up, spans: Collector, callbacks: Receiver, trace: str
) -> None:
    headers = {"traceparent": f"00-{trace}-{CALLER}-00"}
    submit(system, headers=headers, kind="test.traced", callback_url=callbacks.url())
    wait_until(lambda: callbacks.received)
    later = submit(system, headers={}, kind="test.sum", input={"numbers": [1]})
    spans.wait_for("attempt test.sum", later["task_id"])
    assert trace not in {span.trace_id for span in spans.spans}
    assert callbacks.received[0].headers["traceparent"].startswith(f"00-{trace}-")
    assert callbacks.received[0].headers["traceparent"].endswith("-00")


def test_a_batch_is_submitted_in_one_span(system: Up, spans: Collector, trace: str) -> None:
    tasks = [{"kind": "test.script"}, {"kind": "test.script"}]
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    batch = submit(system, "batch/", headers=headers, tasks=tasks)
    spans.wait_for("attempt test.script", trace, count=2)
    (submitted,) = spans.wait_for("submit batch", trace)
    assert submitted.attributes == {"batch.id": batch["batch_id"], "batch.total": 2}
    attempts = spans.named("attempt test.script", trace)
    assert {span.parent for span in attempts} == {submitted.id}
    assert {span.attributes["task.id"] for span in attempts} == set(batch["task_ids"])


def test_a_child_that_dies_loses_only_its_own_spans(
    system: Up, spans: Collector, trace: str
) -> None:
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    submit(system, headers=headers, kind="test.isolated_traced", input={"do": "die"})
    crashed, completed = spans.wait_for("attempt test.isolated_traced", trace, count=2)
    assert (crashed.attributes["task.outcome"], crashed.attributes["error.type"]) == (
        "crashed",
        "Crashed",
    )
    assert completed.attributes["task.outcome"] == "completed"
    assert crashed.trace_id == completed.trace_id == trace
    assert spans.named("lost", trace) == []


def test_the_attempt_after_a_killed_worker_is_in_the_same_trace(
    system: Up, spans: Collector, trace: str
) -> None:
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    with open_directory() as directory:
        file = directory / "go"
        input = {"do": "wait for file", "file": str(file), "heed": False}
        task = submit(system, headers=headers, kind="test.script", input=input)
        (submitted,) = spans.wait_for("submit test.script", trace)
        url = f"http://127.0.0.1:{system.port}/api/v1/tasks/{task['task_id']}"
        wait_until(lambda: requests.get(url, timeout=30).json()["status"] == "PROCESSING")
        for process in psutil.Process(system.pid_of("manage.py worker")).children():
            process.kill()
        file.touch()
        # The spans of the killed process are lost: this one is of the attempt after it.
        (attempt,) = spans.wait_for("attempt test.script", trace)
    assert (attempt.trace_id, attempt.parent) == (trace, submitted.id)
    assert attempt.attributes["task.outcome"] == "completed"
