from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tasks.console.formatting import (
    MAX_CHARACTERS,
    duration,
    elapsed,
    payload,
    relative_time,
    timestamp,
)

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
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
def test_a_duration_is_told_in_its_two_largest_units(seconds, words):
    assert duration(seconds) == words


def test_what_has_not_ended_lasts_until_now():
    assert elapsed(NOON, None, now=NOON + dt.timedelta(seconds=2)) == "2.0 s"
    assert elapsed(None, NOON) == "–"


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s ago"), (-7200, "in 2 h"), (180_000, "2 d ago")]
)
def test_a_moment_is_told_from_now_with_the_clock_as_its_title(seconds, words):
    told = relative_time(NOON, now=NOON + dt.timedelta(seconds=seconds))
    assert f">{words}</time>" in told
    assert 'title="2026-05-01 12:00:00.000 UTC"' in told


def test_a_moment_that_is_not_known_is_a_dash():
    assert relative_time(None) == timestamp(None) == "–"
    assert timestamp(timezone.now()).endswith("UTC")


def test_a_payload_says_how_much_of_it_is_shown():
    assert not payload({"a": "é"}).is_cut
    assert payload({"a": "é"}).text == '{\n  "a": "é"\n}'
    long = payload("x" * MAX_CHARACTERS)
    assert long.is_cut
    assert (len(long.text), long.length) == (MAX_CHARACTERS, MAX_CHARACTERS + 2)
