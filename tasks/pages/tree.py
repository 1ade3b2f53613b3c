"""JSON values as a bounded number of readable rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

MAX_ROWS = 300
MAX_DEPTH = 6
MAX_TEXT = 3_000
# Longer texts are shown below their name, in full width.
LINE_LENGTH = 200
# A list of up to this many short values is shown on one line.
MAX_INLINE_ITEMS = 12
MAX_INLINE_TEXT = 40


@dataclass(frozen=True)
class Row:
    """One name and its value; a branch has no text, and its entries follow one level deeper.

    `cut` is the number of characters not shown.
    """

    depth: int
    name: str
    text: str = ""
    cut: int = 0
    is_branch: bool = False

    @property
    def is_long(self) -> bool:
        return len(self.text) > LINE_LENGTH


@dataclass(frozen=True)
class Tree:
    """The rows of a value, and whether some are left out."""

    rows: list[Row]
    is_cut: bool


def tree_of(value: Any) -> Tree:
    """Return the rows of a JSON value."""
    rows = list(islice(_rows(value), MAX_ROWS + 1))
    return Tree(rows[:MAX_ROWS], is_cut=len(rows) > MAX_ROWS)


def _rows(value: Any, depth: int = 0) -> Iterator[Row]:
    entries = _entries(value)
    if entries is None or not value:
        yield _leaf("", value, depth)
        return
    for name, inner in entries:
        if not inner or _entries(inner) is None or _is_inline(inner):
            yield _leaf(name, inner, depth)
        elif depth == MAX_DEPTH:
            yield Row(depth, name, f"… ({len(inner)} entries)")
        else:
            yield Row(depth, name, is_branch=True)
            yield from _rows(inner, depth + 1)


def _entries(value: Any) -> Iterable[tuple[str, Any]] | None:
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, list):
        return ((str(number), item) for number, item in enumerate(value, start=1))
    return None


def _is_inline(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_INLINE_ITEMS
        and all(
            not isinstance(item, (dict, list)) and len(_text(item)) <= MAX_INLINE_TEXT
            for item in value
        )
    )


def _leaf(name: str, value: Any, depth: int) -> Row:
    text = ", ".join(map(_text, value)) if value and isinstance(value, list) else _text(value)
    return Row(depth, name, text[:MAX_TEXT], cut=max(0, len(text) - MAX_TEXT))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
