"""The values of limits: numbers, rates written like `100/m`, and places in an input."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from tasks.whole_number import checked_whole_number

CONCURRENT_LIMIT = 1_000_000
_RATE = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,4})?([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
PERIOD_LIMIT = 30 * 86_400
RATE_RULE = (
    "Use a number and a period of at most 30 days, such as 10/s, 100/m, 5/30s, 1000/h or 20000/d."
)
_PATH = re.compile(r"[^.\s\x00]{1,60}(\.[^.\s\x00]{1,60}){0,2}")
PATH_RULE = "Use the name of a field of the input, or at most three names joined by dots."


class Rate(NamedTuple):
    """At most `number` in any `period` seconds."""

    number: int
    period: int

    @classmethod
    def parse(cls, value: Any) -> Rate:
        """Read a rate; raise ValueError with a sentence that says how one is written."""
        match = _RATE.fullmatch(value) if isinstance(value, str) else None
        if not match:
            raise ValueError(RATE_RULE)
        number, times, unit = match.groups()
        period = int(times or 1) * _SECONDS[unit]
        if period > PERIOD_LIMIT:
            raise ValueError(RATE_RULE)
        return cls(int(number), period)

    def __str__(self) -> str:
        unit = next(name for name in "dhms" if self.period % _SECONDS[name] == 0)
        times = self.period // _SECONDS[unit]
        return f"{self.number}/{'' if times == 1 else times}{unit}"


def checked_concurrent(value: Any) -> int:
    """Return how many tasks may run at once; raise ValueError."""
    return checked_whole_number(
        value, 1, CONCURRENT_LIMIT, f"Must be a whole number from 1 to {CONCURRENT_LIMIT}."
    )


def checked_burst(value: Any, rate: Rate | None) -> int:
    """Return how many tasks of a rate may start together; raise ValueError."""
    if rate is None:
        raise ValueError("A burst needs a rate.")
    return checked_whole_number(
        value, 1, rate.number, "Must be a whole number from 1 to the number of the rate."
    )


def checked_path(value: Any) -> str:
    """Return the place of a value in an input; raise ValueError."""
    if isinstance(value, str) and _PATH.fullmatch(value):
        return value
    raise ValueError(PATH_RULE)
