"""Texts for PostgreSQL: what it can store, and how it reads an array."""

from __future__ import annotations

from collections.abc import Iterable


def storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot store: NUL and lone surrogates."""
    text = text.replace("\0", "")
    return text if text.isascii() else text.encode(errors="replace").decode()


def array_text(words: Iterable[str]) -> str:
    """Write plain words or numbers as an array.

    The driver's own lists cost several times as much: it searches each element for what must be
    quoted. Nothing is quoted here.
    """
    return "{" + ",".join(words) + "}"
