from __future__ import annotations

import threading
import time

import pytest
from pytest_django import Settings

from analysis.text import pause
from analysis.text.handler import analyze, handle
from tasks import kinds, submit
from tasks.errors import InvalidInput
from tasks.kinds import Cancel, Context, FatalError
from tasks.models import Status
from tests.factories import make_context
from tests.workers import run_until_idle


def context(soft_time_limit: float = 120) -> Context:
    return make_context(soft_time_limit=soft_time_limit)


def test_the_kind_is_registered_with_its_limits_and_checks_its_input() -> None:
    kind = kinds.get("text.analyze")
    assert (kind.queue, kind.soft_time_limit, kind.time_limit) == ("default", 120, 120)
    kind.validate({"text": "", "language": "de"})
    kind.validate({"text": "é" * 2_000_000})
    for invalid in ({}, {"text": 1}, {"text": "a", "language": "xx"}, {"text": "a", "more": 1},
                  {"text": "a" * 2_000_001}, ["text"]):  # fmt: skip
        with pytest.raises(InvalidInput):
            kind.validate(invalid)


def test_the_handler_returns_the_analysis_and_reports_progress() -> None:
    running = context()
    assert handle({"text": "Hello world", "language": "en"}, running) == analyze("Hello world")
    assert running.take_report() == (90, "counting words")


@pytest.mark.django_db(transaction=True)
def test_a_worker_analyses_a_submitted_text() -> None:
    text = "Ναι: le café, l’été — ภาษาไทย 🎉"
    task = submit("text.analyze", {"text": text, "language": "fr"})
    run_until_idle()
    task.refresh_from_db()
    assert (task.status, task.result) == (Status.COMPLETED, analyze(text, "fr"))


def test_an_unknown_language_is_fatal() -> None:
    with pytest.raises(FatalError, match="'xx' is not one of the supported languages"):
        handle({"text": "hello", "language": "xx"}, context())


def test_a_cancelled_task_ends_its_pause_at_once(settings: Settings) -> None:
    settings.ANALYSIS_SIMULATED_DELAY = (60, 90)
    running = context()
    threading.Timer(0.2, setattr, (running, "cancelled", True)).start()
    started = time.monotonic()
    with pytest.raises(Cancel):
        handle({"text": "hello"}, running)
    assert time.monotonic() - started < 5
    assert running.take_report() == (0, "waiting for the configured delay")


def test_the_pause_lasts_as_long_as_configured(settings: Settings) -> None:
    settings.ANALYSIS_SIMULATED_DELAY = (0.3, 0.4)
    started = time.monotonic()
    handle({"text": "hello"}, context())
    assert 0.3 <= time.monotonic() - started < 3


def test_pauses_are_drawn_from_the_whole_range(settings: Settings) -> None:
    settings.ANALYSIS_SIMULATED_DELAY = (5, 10)
    seconds = [pause.draw() for _ in range(500)]
    assert 5 <= min(seconds) < 5.5
    assert 9.5 < max(seconds) <= 10
    settings.ANALYSIS_SIMULATED_DELAY = (0, 0)
    assert pause.draw() == 0
