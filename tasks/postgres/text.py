"""Text that PostgreSQL can store."""

from __future__ import annotations


def storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot store: NUL and lone surrogates."""
    return text.replace("\0", "").encode(errors="replace").decode()
