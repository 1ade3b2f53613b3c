"""Whole numbers that people give: settings, options of commands, fields of requests."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from numbers import Integral
from typing import Any

# The least and the greatest number that is accepted.
Bounds = tuple[int, int]


def whole_number(text: str, bounds: Bounds) -> int:
    """Return the number of a text; raise ValueError, with the end of a sentence, for others."""
    low, high = bounds
    if not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise ValueError(f"{text!r} is not a whole number between {low} and {high}.")
    return int(text)


def number_option(bounds: Bounds) -> Callable[[str], int]:
    """Return the type of a command's option that is such a number."""

    def read(text: str) -> int:
        try:
            return whole_number(text.strip(), bounds)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return read


def checked_whole_number(value: Any, low: int, high: int, mistake: str) -> int:
    """Return a value that is a whole number within bounds; raise ValueError with `mistake`."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(mistake)
    number = int(value)
    if not low <= number <= high:
        raise ValueError(mistake)
    return number
