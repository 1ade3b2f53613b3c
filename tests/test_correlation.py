"""Causes: which headers are taken, and what follows from them."""

from __future__ import annotations

import re

import pytest

from tasks.correlation import Cause, current_cause, running
from tests.causes import CAUSE, Caused

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("id", ["r", "a" * 128, "req-1/2:3.4_5=+@"])
def test_a_request_id_is_taken(id: str) -> None:
    assert Cause.of_headers(id, "").request_id == id


@pytest.mark.parametrize(
    "id", ["", " ", "a b", "a" * 129, "é", "a\r\nSet-Cookie: x", "<b>", '"', "\0"]
)
def test_an_invalid_request_id_is_replaced(id: str) -> None:
    made = [Cause.of_headers(id, "").request_id for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("traceparent", "taken"),
    [
        (TRACEPARENT, TRACEPARENT),
        (f"00-{TRACE}-00f067aa0ba902b7-00", f"00-{TRACE}-00f067aa0ba902b7-00"),
        # A later version may have more parts, which this one does not know.
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what", f"cc-{TRACE}-00f067aa0ba902b7-01"),
        ("", ""),
        ("nonsense", ""),
        (f"{TRACEPARENT}-more", ""),
        (TRACEPARENT.upper(), ""),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE}-00f067aa0ba902b7", ""),
        (f"00-{TRACE}-00f067aa0ba902b7-1\n", ""),
    ],
)
def test_only_a_valid_traceparent_is_taken(traceparent: str, taken: str) -> None:
    assert Cause.of_headers("r", traceparent) == Cause("r", taken)


def test_the_trace_is_that_of_the_caller_and_otherwise_follows_from_the_request() -> None:
    assert Cause("r", TRACEPARENT).trace_id == TRACE
    assert re.fullmatch("[0-9a-f]{32}", Cause("r").trace_id)
    assert Cause("r").trace_id == Cause("r").trace_id != Cause("s").trace_id
    assert Cause().trace_id == ""


def test_the_next_service_gets_a_new_part_of_the_same_trace() -> None:
    first, second = (Cause("r", TRACEPARENT).next_traceparent() for _ in range(2))
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", first)
    assert first != second
    assert Cause("r").next_traceparent().endswith("-00")


def test_the_cause_is_that_of_what_runs() -> None:
    assert current_cause() == Cause()
    with running(Caused()):
        assert current_cause() == CAUSE
    assert current_cause() == Cause()
