"""Calls to the language model, against a real server that fails in every way."""

from __future__ import annotations

import logging
import re
import traceback

import pytest
from django.db import connection
from pytest_django import Settings

from analysis.llm import errors
from analysis.llm.answers import Answer
from analysis.llm.errors import ModelRefused, ModelUnavailable, OutOfCredit
from analysis.outgoing.retry_after import requested_delay
from tasks.kinds import FatalError, Retry, Snooze
from tests.analysis.llm import answer
from tests.fakes.openrouter import KEY, Fake
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

SECRET = "the secret prompt of mine"


def test_a_question_returns_the_answer_of_the_model(provider: Fake) -> None:
    assert answer("to be or not") == Answer(
        text="In short, 4 words: to be or not.", model="fake/model", tokens=42
    )
    (call,) = provider.calls
    assert call["authorised"]
    assert call["model"] == "meta-llama/llama-3.2-90b-text-preview"


def test_a_repeated_question_is_answered_from_the_cache(provider: Fake, settings: Settings) -> None:
    first, second = answer("once"), answer("once")
    assert (first.cached, second.cached) == (False, True)
    assert first.text == second.text
    assert len(provider.calls) == 1
    settings.OPENROUTER_MODEL = "another/model"
    assert not answer("once").cached


@pytest.mark.parametrize(
    "stored",
    [
        "gASVpickle",
        '"text"',
        '{"text": "forged"}',
        '{"text": 1, "model": "m", "tokens": 1, "cut": false}',
        '{"text": "a", "model": "m", "tokens": "1", "cut": false}',
        '{"text": "a", "model": "m", "tokens": 1, "cut": null}',
    ],
)
def test_what_is_no_answer_in_the_cache_is_not_taken_for_one(provider: Fake, stored: str) -> None:
    answer("once")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_cache SET value = %s", [stored])
    assert not answer("once").cached
    assert answer("once").cached
    assert len(provider.calls) == 2


def test_calls_share_a_connection(provider: Fake) -> None:
    for number in range(3):
        answer(f"question {number}")
    assert len({call["client"] for call in provider.calls}) == 1


@pytest.mark.parametrize("do", ["429", "429 reset", "200 error 429"])
def test_a_rate_limit_snoozes_the_task(provider: Fake, do: str) -> None:
    provider.behaviour = do
    with pytest.raises(Snooze) as snoozed:
        answer("anything")
    shortest = {"429": 2, "429 reset": 28, "200 error 429": 10}[do]
    assert shortest <= snoozed.value.delay <= (shortest + 2) * 1.25


@pytest.mark.parametrize(
    ("do", "text"),
    [
        ("500", errors.BROKEN),
        ("502", errors.BROKEN),
        ("503", errors.BROKEN),
        ("408", errors.TIMED_OUT),
        ("200 error", errors.BROKEN),
        ("200 error word", errors.BROKEN),
        ("choice error", errors.BROKEN),
        ("invalid json", errors.UNREADABLE),
        ("no object", errors.UNREADABLE),
        ("deep", errors.UNREADABLE),
        ("not utf-8", errors.UNREADABLE),
        ("strange choices", errors.UNREADABLE),
        ("no choices", errors.EMPTY),
        ("empty", errors.EMPTY),
        ("null", errors.EMPTY),
        ("tool calls alone", errors.EMPTY),
        ("large", errors.TOO_LARGE),
        ("large endless", errors.TOO_LARGE),
        ("truncated", errors.UNREACHABLE),
        ("reset", errors.UNREACHABLE),
        ("reset mid-body", errors.UNREACHABLE),
    ],
)
def test_failures_that_may_pass_are_retried(provider: Fake, do: str, text: str) -> None:
    provider.behaviour = do
    with pytest.raises(Retry, match=f"^{re.escape(text)}$") as failed:
        answer("anything")
    assert isinstance(failed.value, ModelUnavailable)
    assert failed.value.delay == (3 if do == "503" else None)
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    ("do", "text"),
    [
        ("402 in flight", errors.BUDGET_IN_USE),
        ("200 error 402 in flight", errors.BUDGET_IN_USE),
        ("choice error 402 in flight", errors.BUDGET_IN_USE),
        ("413 for now", errors.THROTTLED),
    ],
)
def test_a_refusal_with_retry_after_snoozes_the_task_and_leaves_the_circuit_closed(
    provider: Fake, settings: Settings, do: str, text: str
) -> None:
    settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD = 1
    provider.behaviour = do
    for _ in range(2):
        with pytest.raises(Snooze, match=f"^{re.escape(text)}$") as snoozed:
            answer("anything")
        assert 4 <= snoozed.value.delay <= 5
    provider.behaviour = "ok"
    assert answer("anything").text
    assert len(provider.calls) == 3


@pytest.mark.parametrize("do", ["402", "402 too expensive", "402 reset", "200 error 402"])
def test_a_402_without_retry_after_is_an_empty_account(provider: Fake, do: str) -> None:
    provider.behaviour = do
    with pytest.raises(OutOfCredit, match=f"^{re.escape(errors.NO_CREDIT)}$"):
        answer("anything")
    with pytest.raises(Snooze, match="circuit"):
        answer("anything")
    assert len(provider.calls) == 1


def test_a_413_without_retry_after_is_final(provider: Fake) -> None:
    provider.behaviour = "413"
    with pytest.raises(ModelRefused, match=r"^The text is too long for the language model\.$"):
        answer("anything")


@pytest.mark.parametrize(
    "do", ["filtered", "tool calls", "no reason", "new reason", "strange reason"]
)
def test_an_answer_that_may_not_be_whole_is_cut_and_not_cached(provider: Fake, do: str) -> None:
    provider.script.extend([do, "ok"])
    assert answer("anything").cut
    second, third = answer("anything"), answer("anything")
    assert [(each.cut, each.cached) for each in (second, third)] == [
        (False, False), (False, True),
    ]  # fmt: skip
    assert len(provider.calls) == 2


def test_an_answer_that_was_cut_at_the_length_limit_is_cached_as_such(provider: Fake) -> None:
    provider.behaviour = "length"
    first, second = answer("anything"), answer("anything")
    assert [(each.cut, each.cached) for each in (first, second)] == [
        (True, False), (True, True),
    ]  # fmt: skip


@pytest.mark.parametrize("do", ["filtered whole", "refusal"])
def test_a_text_that_a_filter_or_the_model_declines_fails_at_once(
    provider: Fake, settings: Settings, do: str
) -> None:
    settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD = 1
    provider.script.append(do)
    with pytest.raises(ModelRefused, match=f"^{re.escape(errors.FILTERED)}$"):
        answer("anything")
    assert answer("anything").text


@pytest.mark.parametrize("do", ["400", "401", "403", "404", "redirect"])
def test_a_refusal_is_final_and_costs_one_call(provider: Fake, do: str) -> None:
    provider.behaviour = do
    with pytest.raises(FatalError, match="provider") as refused:
        answer("anything")
    assert isinstance(refused.value, ModelRefused)
    assert len(provider.calls) == 1


def test_the_first_refusal_for_lack_of_credit_opens_the_circuit(provider: Fake) -> None:
    provider.behaviour = "200 error 402"
    with pytest.raises(OutOfCredit, match="credit"):
        answer("anything")
    with pytest.raises(Snooze):
        answer("anything else")
    assert len(provider.calls) == 1


def test_an_outage_of_the_provider_opens_the_circuit_which_closes_after_it(
    provider: Fake, settings: Settings
) -> None:
    settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD = 3
    settings.CIRCUIT_BREAKER_RECOVERY_TIMEOUT = 0.5
    provider.behaviour = "503"

    def outcome() -> str:
        try:
            return answer("anything").text
        except Exception as error:
            return type(error).__name__

    assert [outcome() for _ in range(5)] == ["ModelUnavailable"] * 3 + ["Snooze"] * 2
    assert len(provider.calls) == 3
    wait_until(lambda: outcome() == "ModelUnavailable", what="retried")
    assert len(provider.calls) == 4
    provider.behaviour = "ok"
    wait_until(lambda: outcome().startswith("In short"), what="closed")
    assert len(provider.calls) == 5


def test_a_rate_limit_does_not_open_the_circuit(provider: Fake) -> None:
    provider.behaviour = "429"
    for _ in range(5):
        with pytest.raises(Snooze):
            answer("anything")
    assert len(provider.calls) == 5


def test_a_refused_connection_is_reported_as_unreachable(settings: Settings) -> None:
    settings.OPENROUTER_BASE_URL, settings.OPENROUTER_API_KEY = "http://127.0.0.1:1", KEY
    with pytest.raises(ModelUnavailable, match=errors.UNREACHABLE):
        answer("anything")


def test_characters_that_cannot_be_stored_are_removed_from_answers(provider: Fake) -> None:
    provider.script.extend(["nul", "parts", "length"])
    assert answer("one").text == "Nothing and half? a pair."
    assert answer("two").text == "In parts."
    assert answer("three").cut


@pytest.mark.parametrize("do", ["ok", "400", "403", "401", "200 error", "reset", "drip", "429"])
def test_errors_and_logs_contain_neither_key_nor_prompt(
    provider: Fake, caplog: pytest.LogCaptureFixture, do: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    provider.behaviour = do
    error_text = ""
    try:
        answer(SECRET)
    except Exception as error:
        error_text = "".join(traceback.format_exception(error))
    logged = "".join(r.getMessage() for r in caplog.records if not r.name.startswith("django.db"))
    for secret in (SECRET, KEY, "secret prompt"):
        assert secret not in error_text
        assert secret not in logged


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0"}, 1),
        ({"Retry-After": "999999"}, 3600),
        ({"Retry-After": "Thu, 01 Jan 1970 00:16:50 GMT"}, 10),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 01 Jan 99999999999999 00:00:00 GMT"}, None),
        ({"Retry-After": "1 Jan 2024 99999999999999999999:00:00"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "9" * 20}, 3600),
        ({"Retry-After": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"X-RateLimit-Reset": "9" * 20}, 3600),
        ({"X-RateLimit-Reset": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"X-RateLimit-Reset": "1030"}, 30),
        ({"X-RateLimit-Reset": "1000000060000"}, 30),
        ({"Retry-After": "5", "X-RateLimit-Reset": "1030"}, 5),
        ({}, None),
    ],
)
def test_the_requested_delay_is_read_from_the_headers_within_bounds(
    headers: dict[str, str], seconds: float | None
) -> None:
    now = 1_000_000_030 if headers.get("X-RateLimit-Reset", "").startswith("1000000") else 1000
    assert requested_delay(headers, now=now) == seconds
