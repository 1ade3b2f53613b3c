"""Whole numbers that people give: settings, and options of commands."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable

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
