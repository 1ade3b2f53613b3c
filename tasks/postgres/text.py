"""Text that PostgreSQL can store."""

from __future__ import annotations


def storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot store: NUL and lone surrogates."""
    text = text.replace("\0", "")
    return text if text.isascii() else text.encode(errors="replace").decode()
