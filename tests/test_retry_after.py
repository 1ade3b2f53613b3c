"""The Retry-After header: what is read, and what is ignored."""

from __future__ import annotations

import datetime as dt

import pytest

from tasks.retry_after import header_number, retry_after_seconds

NOW = dt.datetime(2026, 11, 6, 8, 49, 37, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("1.5", 1.5),
        (".5", 0.5),
        ("007", 7),
        ("9" * 20, 1e20),
        # The three forms of RFC 9110, 5.6.7.
        ("Fri, 06 Nov 2026 08:50:37 GMT", 60),
        ("Friday, 06-Nov-26 08:50:37 GMT", 60),
        ("Fri Nov  6 08:50:37 2026", 60),
        ("Fri, 06 Nov 2026 08:48:37 GMT", -60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_608_345_822),
    ],
)
def test_seconds_and_dates_are_read(value: str, seconds: float) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-5",
        "+5",
        "1e3",
        "1,5",
        "1.5.5",
        ".",
        "0x10",
        "1_000",
        "inf",
        "nan",
        "9" * 21,
        "9" * 60_000,
        "\u0663",
        "\xb2",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 10000 00:00:00 GMT",
        "Fri, 99 Nov 2026 99:99:99 GMT",
        "Fri, 06 Nov 2026 08:50:37 +99999999999999999999",
        "Fri, 06 Nov 2026 08:50:\u0663\u0667 GMT",
        "(" * 60_000,
    ],
    ids=lambda value: ascii(value[:50]),
)
def test_anything_else_is_ignored(value: str) -> None:
    assert retry_after_seconds(value, now=NOW) is None


@pytest.mark.parametrize(("value", "number"), [("5", 5), ("5.25", 5.25), ("-5", None), ("", None)])
def test_a_number_has_no_sign(value: str, number: float | None) -> None:
    assert header_number(value) == number
