from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tasks.formatting import (
    MAX_CHARACTERS,
    duration,
    elapsed,
    payload,
    relative_time,
    timestamp,
)

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-1, "0 ms"),
        (0.0123, "12 ms"),
        (3.21, "3.2 s"),
        (59.99, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (125, "2 min 5 s"),
        (3725, "1 h 2 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_is_written_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_elapsed_time_without_an_end_runs_until_now():
    assert elapsed(NOON, None, now=NOON + dt.timedelta(seconds=2)) == "2.0 s"
    assert elapsed(None, NOON) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s ago"), (-7199, "in 2 h"), (4_000, "1 h ago"), (180_000, "2 d ago")],
)
def test_a_relative_time_has_the_exact_time_as_its_title(seconds, text):
    html = relative_time(NOON, now=NOON + dt.timedelta(seconds=seconds))
    assert f">{text}</time>" in html
    assert 'title="2026-05-01 12:00:00.000 UTC"' in html


def test_an_unknown_moment_is_a_dash():
    assert relative_time(None) == timestamp(None) == "–"
    assert timestamp(timezone.now()).endswith("UTC")


def test_a_payload_is_cut_at_the_limit_and_keeps_its_length():
    assert not payload({"a": "é"}).is_cut
    assert payload({"a": "é"}).text == '{\n  "a": "é"\n}'
    long = payload("x" * MAX_CHARACTERS)
    assert long.is_cut
    assert (len(long.text), long.length) == (MAX_CHARACTERS, MAX_CHARACTERS + 2)
