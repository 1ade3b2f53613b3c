from __future__ import annotations

import datetime as dt

import pytest

from tasks import rfc3339


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01T10:00:00Z", "2026-12-01T10:00:00+00:00"),
        ("2026-12-01t10:00:00z", "2026-12-01T10:00:00+00:00"),
        ("2026-12-01 10:00:00.25+02:00", "2026-12-01T08:00:00.250000+00:00"),
        ("2026-12-01T10:00:00.1234567Z", "2026-12-01T10:00:00.123456+00:00"),
        ("2026-12-01T10:00:00+01:00:30", "2026-12-01T08:59:30+00:00"),
        ("2026-12-01T10:00:00+23:59", "2026-11-30T10:01:00+00:00"),
        ("2026-12-01T10:00:00-23:59", "2026-12-02T09:59:00+00:00"),
        ("2026-12-01T10:00:00-00:00", "2026-12-01T10:00:00+00:00"),
        ("2026-12-01T10:00Z", "2026-12-01T10:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01t00:59:60.5+01:00", "2017-01-01T00:00:00.500000+00:00"),
    ],
)
def test_a_moment_is_read_in_utc(text: str, moment: str) -> None:
    parsed = rfc3339.parse(text)
    assert parsed.isoformat() == moment
    assert parsed.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid date and time (RFC 3339)."),
        ("soon", "Invalid date and time (RFC 3339)."),
        ("2026-02-29T10:00:00Z", "Invalid date and time (RFC 3339)."),
        ("2026-12-01T10:00:00+24:00", "Invalid date and time (RFC 3339)."),
        ("2026-12-01T10:00:60Z", "Invalid date and time (RFC 3339)."),
        ("2026-12-01T10:00:00Z\0", "Invalid date and time (RFC 3339)."),
        ("2026-12-01T10:00:00", "The time zone is missing, such as Z or +02:00."),
        ("2026-12-01", "The time zone is missing, such as Z or +02:00."),
        ("0001-01-01T00:00:00+14:00", "The time is outside the years 1 to 9999."),
        ("9999-12-31T23:59:60Z", "The time is outside the years 1 to 9999."),
    ],
)
def test_a_text_that_is_not_a_moment_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(rfc3339.InvalidDateTime) as refused:
        rfc3339.parse(text)
    assert str(refused.value) == message


def test_a_text_without_a_zone_is_read_in_the_given_zone() -> None:
    day = rfc3339.parse("2026-12-01", default_zone=dt.UTC)
    assert day == dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    later = rfc3339.parse("2026-12-01T00:00:00-01:00", default_zone=dt.UTC)
    assert later == dt.datetime(2026, 12, 1, 1, tzinfo=dt.UTC)
