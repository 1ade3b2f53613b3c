"""Application name: what the database's list of sessions calls connections of this process."""

from __future__ import annotations

import os


def set_application_name(name: str) -> None:
    """Name the connections that have no name of their own, unless PGAPPNAME is set."""
    # libpq reads it, so the connections of every database are named, and those of children.
    os.environ.setdefault("PGAPPNAME", name)
