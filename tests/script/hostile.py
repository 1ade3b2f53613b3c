"""Kinds whose handlers give the engine values that it cannot store, in every way they can."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from tasks.kinds import Context, Retry, RetryPolicy, Snooze, kind
from tasks.kinds.exceptions import Interrupted, LostClaim
from tasks.models import Attempt
from tests.script.models import Effect

NOT_UTF8 = os.fsdecode(b"caf\xe9.txt")
LAST = dt.datetime.max.replace(tzinfo=ZoneInfo("America/New_York"))
FIRST = dt.datetime.min.replace(tzinfo=ZoneInfo("Europe/Berlin"))

Statement = Callable[[Context], Any]


class WithoutText(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class NoneAsText(Exception):
    """An exception whose text is not a text."""

    def __str__(self) -> str:
        return None  # type: ignore[return-value]


class ExitAsText(Exception):
    """An exception whose text ends the process."""

    def __str__(self) -> str:
        raise SystemExit(3)


class WithoutDelay(Snooze):
    """A snooze that does not say for how long."""

    def __init__(self) -> None:
        pass


def _raises(error: BaseException) -> Statement:
    def statement(context: Context) -> NoReturn:
        raise error

    return statement


def _retries(delay: Any) -> Statement:
    def statement(context: Context) -> NoReturn:
        raise Retry(delay)

    return statement


def _snoozes(delay: Any) -> Statement:
    def statement(context: Context) -> NoReturn:
        raise Snooze(delay)

    return statement


def _changes_the_delay(context: Context) -> NoReturn:
    error = Retry(1)
    error.delay = float("inf")
    raise error


def _submits(input: Any = None, **options: Any) -> Statement:
    def statement(context: Context) -> None:
        context.submit("test.script", input, **options)

    return statement


def _reports(*progress: Any) -> Statement:
    return lambda context: context.progress(*progress)


def _returns(value: Any) -> Statement:
    return lambda context: value


def _contains_itself(context: Context) -> Any:
    value: dict[str, Any] = {}
    value["itself"] = [value]
    return value


def _returns_a_coroutine(context: Context) -> Any:
    return asyncio.sleep(0)


def _cause_of_itself() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


_TOO_LONG = "must be 0 to 315360000 seconds (ten years)"
_NO_NUMBER = "The progress must be a number from 0 to 100"

# What a handler states, and the text of the error with which its attempt must fail.
HOSTILE: dict[str, tuple[Statement, str]] = {
    "retry in 10,000 years": (_retries(3.2e11), f"The delay {_TOO_LONG}, not 320000000000.0."),
    "retry in infinity": (_retries(float("inf")), f"The delay {_TOO_LONG}, not inf."),
    "retry in NaN": (_retries(float("nan")), f"The delay {_TOO_LONG}, not nan."),
    "retry in the past": (_retries(-1), f"The delay {_TOO_LONG}, not -1."),
    "retry in an endless integer": (_retries(10**400), f"The delay {_TOO_LONG}"),
    "retry in a text": (_retries("soon"), "must be a number of seconds or a timedelta, not str."),
    "retry with a changed delay": (_changes_the_delay, f"The delay {_TOO_LONG}, not inf."),
    "retry in a long timedelta": (_retries(dt.timedelta.max), f"The delay {_TOO_LONG}"),
    "snooze for NaN": (_snoozes(float("nan")), f"The delay {_TOO_LONG}, not nan."),
    "snooze for infinity": (_snoozes(float("inf")), f"The delay {_TOO_LONG}, not inf."),
    "snooze for ever": (_snoozes(1e18), f"The delay {_TOO_LONG}"),
    "snooze for a Decimal": (_snoozes(Decimal("1.5")), "not Decimal."),
    "snooze without a delay": (_raises(WithoutDelay()), "no attribute 'delay'"),
    "follow-up at the last time": (_submits(scheduled_at=LAST), "more than ten years away"),
    "follow-up at the first time": (_submits(scheduled_at=FIRST), "more than ten years away"),
    "follow-up without a zone": (_submits(scheduled_at=dt.datetime(2030, 1, 1)), "time zone"),
    "follow-up at a text": (_submits(scheduled_at="tomorrow"), "scheduled_at: Must be a date"),
    "follow-up after infinity": (_submits(delay=float("inf")), f"delay: M{_TOO_LONG[1:]}"),
    "follow-up after a text": (_submits(delay="1"), "delay: Must be a number of seconds"),
    "follow-up with a Decimal as metadata": (
        _submits(metadata={"d": Decimal("1.5")}),
        "metadata: The value cannot be stored: d is not JSON: decimal.Decimal.",
    ),
    "follow-up with a set as metadata": (
        _submits(metadata={"a": [{1, 2}]}),
        "metadata: The value cannot be stored: a.0 is not JSON: set.",
    ),
    "follow-up with a file name as metadata": (
        _submits(metadata={"file": NOT_UTF8}),
        "metadata: The value cannot be stored: file contains half a surrogate pair.",
    ),
    "follow-up with NaN as metadata": (
        _submits(metadata={"mean": float("nan")}),
        "metadata: The value cannot be stored: mean is NaN or infinity, which JSON does not have.",
    ),
    "follow-up with a list as metadata": (_submits(metadata=[1]), "metadata: Must be an object."),
    "follow-up with large metadata": (
        _submits(metadata={"text": "x" * 20_000}),
        "metadata: The value cannot be stored: it is too large: 20,011 bytes,"
        " where at most 16,384 are allowed.",
    ),
    "follow-up with a huge integer": (
        _submits({"n": 2**70}),
        "input.n: This value is an integer beyond 64 bits.",
    ),
    "follow-up with a file name": (
        _submits({"files": [NOT_UTF8]}),
        "input.files.0: This value contains half a surrogate pair.",
    ),
    "follow-up with NaN": (
        _submits({"mean": float("nan")}),
        "input.mean: This value is NaN or infinity, which JSON does not have.",
    ),
    "follow-up with a NUL": (_submits({"a": "b\0"}), "input.a: This value contains a NUL"),
    "follow-up with a set": (_submits({"a": {1}}), "input.a: This value is not JSON: set."),
    "follow-up with one key twice": (
        _submits({1: "a", "1": "b"}),
        "input: This value has two keys that both become '1' in JSON.",
    ),
    "follow-up with a list as input": (_submits([1]), "input: [1] is not of type"),
    "follow-up with a fraction as priority": (_submits(priority=1.5), "priority: Must be within"),
    "follow-up with a text as priority": (_submits(priority="high"), "priority: Must be within"),
    "follow-up with a number as queue": (_submits(queue=5), "queue: Use at most 40"),
    "follow-up with true as attempts": (_submits(max_attempts=True), "max_attempts: Must be 1"),
    "follow-up with a number as key": (
        _submits(idempotency_key=5),
        "Idempotency-Key: Use 1 to 255 printable ASCII characters.",
    ),
    "follow-up with a number as URL": (_submits(callback_url=5), "callback_url: Must be a URL."),
    "progress of NaN": (_reports(float("nan")), f"{_NO_NUMBER}, not nan."),
    "progress of infinity": (_reports(float("inf")), f"{_NO_NUMBER}, not inf."),
    "progress of None": (_reports(None), f"{_NO_NUMBER}, not None."),
    "progress of a text": (_reports("50%"), f"{_NO_NUMBER}, not '50%'."),
    "progress with None": (_reports(1, None), "progress message must be a text, not NoneType."),
    "progress with bytes": (_reports(1, b"half"), "progress message must be a text, not bytes."),
    "result of NaN": (
        _returns({"mean": float("nan")}),
        "result cannot be stored: mean is NaN or infinity, which JSON does not have.",
    ),
    "result with one key twice": (
        _returns({"by_id": {1: "a", "1": "b"}}),
        "result cannot be stored: by_id has two keys that both become '1' in JSON.",
    ),
    "result of a set": (_returns({"a": {1}}), "result cannot be stored: a is not JSON: set."),
    "result of a Decimal": (_returns({"a": Decimal(1)}), "a is not JSON: decimal.Decimal."),
    "result of a huge integer": (_returns({"n": -(2**70)}), "n is an integer beyond 64 bits."),
    "result of a file name": (_returns({"f": NOT_UTF8}), "f contains half a surrogate pair."),
    "result with a NUL": (_returns({"f": "a\0"}), "f contains a NUL character."),
    "result in itself": (_contains_itself, "it is nested too deeply, or contains itself."),
    "result as a list": (_returns([1]), "must be an object (a dict) or None, not list."),
    "result as a number": (_returns(5), "must be an object (a dict) or None, not int."),
    "result as a text": (_returns("done"), "must be an object (a dict) or None, not str."),
    "result as a coroutine": (_returns_a_coroutine, "The handler returned a coroutine"),
    "result as a generator": (lambda context: (n for n in "ab"), "returned a generator"),
    "result that is too large": (
        lambda context: {"text": "x" * 2_000_000},
        "result cannot be stored: it is too large: 2,000,011 bytes,"
        " where at most 1,000,000 are allowed.",
    ),
    "error without a text": (_raises(WithoutText()), "cannot be shown: RuntimeError in __str__."),
    "error with None as text": (_raises(NoneAsText()), "cannot be shown: TypeError in __str__."),
    "error that exits": (_raises(ExitAsText()), "cannot be shown: SystemExit in __str__."),
    "error with a file name": (_raises(ValueError(NOT_UTF8)), "caf?.txt"),
    "error with a NUL": (_raises(ValueError("a\0b")), "ab"),
    "error with a long text": (_raises(ValueError("x" * 10_000_000)), "x" * 2_000),
    "error that causes itself": (_raises(_cause_of_itself()), "first"),
    "error with a password": (
        _raises(OSError("no answer from postgres://ada:secret@db/x")),
        "no answer from postgres://***@db/x",
    ),
    "the engine's own interruption": (_raises(Interrupted()), "raised Interrupted, which only"),
    "the engine's own loss": (_raises(LostClaim()), "raised LostClaim, which only"),
}
# What a handler may state, although it is unusual; the second attempt completes.
UNUSUAL: dict[str, Statement] = {
    "retry in a timedelta": _retries(dt.timedelta(milliseconds=50)),
    "snooze for a timedelta": _snoozes(dt.timedelta(milliseconds=50)),
    "follow-up after a timedelta": _submits(delay=dt.timedelta(milliseconds=50)),
    "progress with a file name": _reports(50.7, NOT_UTF8),
    "result with numbers as keys": _returns({1: "a", 2: "b"}),
    "result of None": _returns(None),
}

_OPTIONS: dict[str, Any] = {"retry": RetryPolicy(max_retries=1, delay=0.05)}


def _state(input: dict[str, Any], context: Context) -> Any:
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    if statement := UNUSUAL.get(input["states"]):
        is_first = not Attempt.objects.filter(task_id=context.task_id).exists()
        return statement(context) if is_first else {}
    statement, _ = HOSTILE[input["states"]]
    return statement(context)


@kind("test.hostile.thread", **_OPTIONS)
def in_thread(input: dict[str, Any], context: Context) -> Any:
    """State what the input names."""
    return _state(input, context)


@kind("test.hostile.process", isolation="process", **_OPTIONS)
def in_process(input: dict[str, Any], context: Context) -> Any:
    """State what the input names, in a process of its own."""
    return _state(input, context)


@kind("test.hostile.transactional", transactional=True, **_OPTIONS)
def in_transaction(input: dict[str, Any], context: Context) -> Any:
    """State what the input names, in the transaction that ends the attempt."""
    return _state(input, context)
