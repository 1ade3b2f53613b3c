"""Naming what is wrong as the sender of a body knows it."""

from __future__ import annotations

from tasks.errors import FieldError, InvalidInput


def as_sent(error: InvalidInput, *, at: str = "") -> InvalidInput:
    """Return the error with the kind's input named as the body's field `at`, or as the body."""
    return InvalidInput(
        [
            FieldError(_place(one.field.removeprefix("input"), at), one.message)
            for one in error.errors
        ]
    )


def _place(inside: str, at: str) -> str:
    return f"{at}{inside}".removeprefix(".")
