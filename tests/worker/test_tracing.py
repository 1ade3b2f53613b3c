"""Recording of spans: off unless a collector is set, and never in the way of a task."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

import tasks
from tasks import tracing
from tasks.correlation import running
from tasks.models import Task
from tests.causes import CAUSE, Caused
from tests.fakes.collector import Collector, collector
from tests.project import web_server
from tests.waiting import wait_until
from tests.workers import ROOT, WorkerCommand, is_idle

# What a web server and a worker load.
LOAD = """
import sys
import taskproject.wsgi
from tasks import tracing
from tasks.management.commands import worker
tracing.load()
print(*sorted(name for name in sys.modules if name.startswith("opentelemetry.sdk.trace")))
"""


@pytest.fixture
def spans() -> Iterator[Collector]:
    with collector() as server:
        yield server


@pytest.mark.parametrize(
    ("environment", "is_loaded"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_opentelemetry_is_loaded_only_where_a_collector_is_set(
    environment: dict[str, str], is_loaded: bool
) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env={**os.environ, "EXTRA_APPS": "", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("opentelemetry.sdk.trace" in loaded.stdout.split()) is is_loaded


def test_a_missing_package_is_one_sentence_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, settings, caplog
) -> None:
    settings.TRACING = True
    # As if it were not installed: the import raises ImportError.
    monkeypatch.setitem(sys.modules, "tasks.tracing.span_recorder", None)
    assert not tracing.load()
    tracing.start()
    tracing.start_in_child()
    assert tracing.recorder is None
    assert [record.getMessage() for record in caplog.records] == [
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed, so no spans are"
        " sent: install requirements-otel.lock"
    ]


@pytest.mark.django_db(transaction=True)
def test_a_variable_that_opentelemetry_refuses_stops_no_task(
    worker: Callable[..., WorkerCommand], spans: Collector
) -> None:
    # An export has 512 spans unless OTEL_BSP_MAX_EXPORT_BATCH_SIZE says otherwise.
    command = worker(**spans.environment(), OTEL_BSP_MAX_QUEUE_SIZE="1")
    tasks.submit("test.script", {})
    tasks.submit("test.isolated_traced", {})
    wait_until(lambda: command.must_run() and is_idle())
    assert set(Task.objects.values_list("status", flat=True)) == {"COMPLETED"}
    assert "could not set up OpenTelemetry; no spans are sent" in command.output()
    assert spans.spans == []


@pytest.mark.django_db(transaction=True)
def test_a_collector_that_is_down_stops_no_task(worker: Callable[..., WorkerCommand]) -> None:
    with collector() as gone:
        environment = gone.environment()
    command = worker(**environment)
    tasks.submit("test.script", {})
    tasks.submit("test.isolated_traced", {})
    wait_until(lambda: command.must_run() and is_idle())
    assert set(Task.objects.values_list("status", flat=True)) == {"COMPLETED"}
    command.signal(signal.SIGTERM)
    assert command.wait() == 0


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_stops_sends_its_last_spans(
    worker: Callable[..., WorkerCommand], spans: Collector
) -> None:
    hour = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    command = worker(**{**spans.environment(), **hour}, OTEL_SERVICE_NAME="night-shift")
    with running(Caused()):
        tasks.submit("test.script", {})
    wait_until(lambda: command.must_run() and is_idle())
    assert spans.spans == []
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
    wait, attempt = spans.spans
    assert (wait.name, attempt.name) == ("wait test.script", "attempt test.script")
    # The process that submitted it records no spans: the parent is that of the request.
    assert f"00-{attempt.trace_id}-{attempt.parent}-01" == CAUSE.traceparent
    assert attempt.service == "night-shift"


@pytest.mark.django_db(transaction=True)
def test_a_web_server_that_stops_sends_its_last_spans(spans: Collector, tmp_path: Path) -> None:
    environment = {
        **spans.environment(),
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",
        "API_ALLOW_ANONYMOUS": "true",
    }
    with web_server.running(tmp_path / "log", **environment) as server:
        wait_until(server.is_up)
        body = {"kind": "test.script"}
        answer = requests.post(f"{server.url}/api/v1/tasks/", json=body, timeout=30)
        assert answer.status_code == 202
        assert spans.spans == []
    (submitted,) = spans.spans
    assert submitted.attributes["task.id"] == answer.json()["task_id"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("heed", [True, False])
def test_an_attempt_past_its_limit_ends_with_a_span(
    worker: Callable[..., WorkerCommand], spans: Collector, tmp_path: Path, heed: bool
) -> None:
    worker(**spans.environment())
    file = tmp_path / "go"
    task = tasks.submit("test.overdue", {"file": str(file), "heed": heed})
    (attempt,) = spans.wait_for("attempt test.overdue", str(task.id))
    file.touch()
    error_type, outcome = (
        ("SoftTimeLimitExceeded", "failed") if heed else ("TimeoutError", "timed_out")
    )
    assert attempt.attributes["error.type"] == error_type
    assert attempt.attributes["task.outcome"] == outcome
    assert attempt.attributes["task.status"] == "FAILED"
