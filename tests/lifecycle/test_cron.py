from __future__ import annotations

import datetime as dt
from contextlib import suppress
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.cron import CronExpression
from tasks.errors import InvalidInput

BERLIN = ZoneInfo("Europe/Berlin")
# In 2026 Berlin's clocks skip 02:00 to 03:00 on 29 March and repeat it on 25 October.
SPRING, AUTUMN = (
    dt.datetime(2026, 3, 28, 12, tzinfo=BERLIN),
    dt.datetime(2026, 10, 24, 12, tzinfo=BERLIN),
)


def ticks(cron: str, count: int, *, after: dt.datetime) -> list[str]:
    """Return the next ticks in Berlin, by its own clocks."""
    expression = CronExpression(cron=cron, timezone="Europe/Berlin")
    upcoming = expression.upcoming(count, after=after.astimezone(dt.UTC))
    return [f"{tick.astimezone(BERLIN):%d %H:%M %Z}" for tick in upcoming]


def test_a_tick_at_a_skipped_time_in_spring_comes_right_after_the_gap():
    assert ticks("30 2 * * *", 3, after=SPRING) == [
        "29 03:00 CEST",
        "30 02:30 CEST",
        "31 02:30 CEST",
    ]


def test_a_tick_at_a_repeated_time_in_autumn_comes_once():
    assert ticks("30 2 * * *", 3, after=AUTUMN) == ["25 02:30 CEST", "26 02:30 CET", "27 02:30 CET"]


def test_a_tick_is_never_in_the_past_within_the_repeated_hour():
    second_round = dt.datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    assert ticks("30 2 * * *", 1, after=second_round) == ["26 02:30 CET"]


def test_half_hourly_ticks_stay_regular_through_both_changes():
    for day, first in ((SPRING, 23), (AUTUMN, 23)):
        expression = CronExpression(cron="*/30 * * * *", timezone="Europe/Berlin")
        after = day.replace(hour=first).astimezone(dt.UTC)
        upcoming = expression.upcoming(12, after=after)
        assert {later - earlier for earlier, later in pairwise(upcoming)} == {
            dt.timedelta(minutes=30)
        }


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_date_that_never_comes_is_refused(cron):
    after = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(InvalidInput, match="cron"):
        CronExpression(cron=cron, timezone="UTC").next_tick(after=after)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "../../etc/passwd", "Europe", "utc\0"])
def test_an_invalid_time_zone_is_refused(zone):
    assert [
        error.field for error in CronExpression(cron="* * * * *", timezone=zone).mistakes()
    ] == ["timezone"]


def test_an_expression_is_described_in_words():
    assert CronExpression(cron="30 2 * * MON", timezone="UTC").in_words() == "At 02:30 on Monday"
    assert CronExpression(cron="no", timezone="UTC").in_words() == ""


@given(st.text("0123456789*/,-#LW MONTUE", max_size=30))
@example("0 0 1,L/2 * *")
@example("* * * * 1#2/3")
@example("* * L-3 * *")
def test_any_text_is_accepted_or_refused(cron):
    after = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with suppress(InvalidInput):
        assert CronExpression(cron=cron, timezone="Europe/Berlin").next_tick(after=after) > after
    CronExpression(cron=cron, timezone="UTC").in_words()
