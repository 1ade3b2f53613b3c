"""Definitions of kinds: a wrong one is refused when it is registered."""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tasks import kinds
from tasks.kinds import Limit, RetryPolicy
from tasks.kinds.registry import Kind


def plain(input: dict[str, Any], context: Any) -> None:
    """Do nothing."""


async def asynchronous(input: dict[str, Any], context: Any) -> None:
    """Do nothing."""


async def asynchronous_generator(input: dict[str, Any], context: Any):
    yield 1


def generator(input: dict[str, Any], context: Any):
    yield 1


def with_one_argument(input: dict[str, Any]) -> None:
    """Do nothing."""


def with_three_arguments(input: dict[str, Any], context: Any, more: Any) -> None:
    """Do nothing."""


class Callable:
    """An object with a handler as its call."""

    def __call__(self, input: dict[str, Any], context: Any) -> None:
        """Do nothing."""


class AsynchronousCallable:
    """An object with an asynchronous call."""

    async def __call__(self, input: dict[str, Any], context: Any) -> None:
        """Do nothing."""


def add(handler: Any = plain, **options: Any) -> None:
    kinds.add(Kind(name="test.defined", handler=handler, description="", **options))


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.kinds.registry._registry", {})


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (asynchronous, "has an async handler"),
        (asynchronous_generator, "has an async handler"),
        (functools.partial(asynchronous), "has an async handler"),
        (AsynchronousCallable(), "has an async handler"),
        (generator, "has a handler that yields"),
        (with_one_argument, "cannot be called with (input, context): too many positional"),
        (with_three_arguments, "cannot be called with (input, context): missing a required"),
        (Callable, "has a handler that is not a function."),
        (lambda: None, "cannot be called with (input, context)"),
        ("analysis.handle", "has a handler that is not a function."),
        (None, "has a handler that is not a function."),
    ],
)
def test_a_handler_that_cannot_run_is_refused(handler, sentence):
    with pytest.raises(ImproperlyConfigured) as refused:
        add(handler)
    assert str(refused.value).startswith("The kind 'test.defined' ")
    assert sentence in str(refused.value)
    assert kinds.all_kinds() == {}


@pytest.mark.parametrize("name", [plain, 5, None])
def test_a_kind_without_a_name_is_refused(name):
    with pytest.raises(ImproperlyConfigured, match="A kind needs a name"):
        kinds.kind(name)


@pytest.mark.parametrize(
    "handler",
    [plain, Callable(), functools.partial(with_three_arguments, more=1), lambda *_: None, max],
)
def test_whatever_can_be_called_with_input_and_context_is_a_handler(handler):
    add(handler)
    assert list(kinds.all_kinds()) == ["test.defined"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"queue": "no spaces"}, "has an invalid default: queue: "),
        ({"queue": None}, "has an invalid default: queue: "),
        ({"priority": 1.5}, "has an invalid default: priority: "),
        ({"priority": 2**31}, "has an invalid default: priority: "),
        ({"retry": RetryPolicy(max_retries=-1)}, "has an invalid default: max_attempts: "),
        ({"retry": RetryPolicy(max_retries=5_000)}, "has an invalid default: max_attempts: "),
        ({"time_limit": float("nan")}, "has an invalid time_limit: "),
        ({"time_limit": float("inf")}, "has an invalid time_limit: "),
        ({"soft_time_limit": 0}, "has an invalid soft_time_limit: "),
        ({"soft_time_limit": "60"}, "has an invalid soft_time_limit: "),
        ({"soft_time_limit": 60, "time_limit": 50}, "has a soft time limit above its hard one."),
        ({"soft_time_limit": timedelta(seconds=5)}, "has an invalid soft_time_limit: "),
        ({"memory_limit": "x"}, "has an invalid memory_limit: "),
        ({"memory_limit": 0}, "has an invalid memory_limit: "),
        ({"public_errors": "x"}, "has an invalid public_errors: "),
        ({"retry": RetryPolicy(max_retries="3")}, "has an invalid retry: "),  # type: ignore[arg-type]
        ({"retry": 3}, "has an invalid retry: "),
        ({"never_on": ValueError}, "has an invalid never_on: "),
        ({"never_on": (ValueError, "OSError")}, "has an invalid never_on: "),
        ({"never_on": (KeyboardInterrupt,)}, "has an invalid never_on: "),
        ({"retry_on": [OSError]}, "has an invalid retry_on: "),
        ({"retry_on": {"OSError": RetryPolicy()}}, "has an invalid retry_on: its keys "),
        ({"retry_on": {OSError: 3}}, "has an invalid retry_on: its values "),
        ({"limit": 5}, "has an invalid limit: "),
        ({"limit": (Limit(concurrent=1), "5/m")}, "has an invalid limit: "),
        ({"limit": (Limit(concurrent=1), Limit(rate="5/m"))}, "has two limits with the same key"),
        ({"unique": ["account"]}, "has an invalid unique: "),
        ({"retention_days": -1}, "has an invalid retention_days: "),
        ({"retention_days": 1.5}, "has an invalid retention_days: "),
        ({"cache_shared": True}, "has cache_shared, which needs a cache_ttl"),
        (
            {"retry_on": {OSError: RetryPolicy()}, "never_on": (OSError, KeyError)},
            "has the same exception in retry_on and never_on: OSError",
        ),
        ({"cache_ttl": 0}, "has an invalid cache_ttl: "),
        ({"cache_ttl": "1h"}, "has an invalid cache_ttl: "),
        ({"cache_shared": 1, "cache_ttl": 60}, "has an invalid cache_shared: "),
        ({"expires_in": 0}, "has an invalid default: expires_in: "),
        ({"isolation": "container"}, "has an invalid isolation 'container'"),
        ({"input": {"type": "objekt"}}, "has an input schema that is not valid: "),
        ({"input": {"const": {1}}}, "has an input schema that is not valid: "),
    ],
)
def test_a_value_that_cannot_hold_is_refused(options, sentence):
    with pytest.raises(ImproperlyConfigured) as refused:
        add(**options)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("delay", [float("nan"), float("inf"), -1, "1", timedelta.max])
@pytest.mark.parametrize("name", ["delay", "cap"])
def test_a_retry_policy_refuses_a_pause_that_no_timestamp_holds(name, delay):
    with pytest.raises(ImproperlyConfigured, match=f"The {name} of a RetryPolicy must be"):
        RetryPolicy(**{name: delay})


def test_a_retry_policy_takes_timedeltas():
    policy = RetryPolicy(delay=timedelta(seconds=2), cap=timedelta(minutes=1))  # type: ignore[arg-type]
    assert (policy.delay, policy.cap) == (2.0, 60.0)
    assert 2.0 <= policy.next_delay(1) <= 4.0


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"concurrent": 0},
        {"concurrent": 1.5},
        {"concurrent": True},
        {"rate": "100"},
        {"rate": "0/m"},
        {"rate": "5/w"},
        {"rate": "1/31d"},
        {"rate": 5},
        {"rate": "5/m", "burst": 6},
        {"rate": "5/m", "burst": 0},
        {"concurrent": 1, "burst": 2},
        {"concurrent": 1, "key": ""},
        {"concurrent": 1, "key": "a b"},
        {"concurrent": 1, "key": "a.b.c.d"},
    ],
)
def test_a_limit_that_cannot_hold_is_refused(values):
    with pytest.raises(ValueError, match=r"\.$"):
        Limit(**values)


@pytest.mark.parametrize(
    ("rate", "number", "period"),
    [("10/s", 10, 1), ("100/m", 100, 60), ("5/30s", 5, 30), ("1000/h", 1_000, 3_600)],
)
def test_a_rate_is_read_and_written_again(rate, number, period):
    per_period = Limit(rate=rate).per_period
    assert per_period == (number, period)
    assert str(per_period) == rate
