"""A site that cannot be loaded, for the server's log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from taskproject import web

if TYPE_CHECKING:
    from tasks.api.gateway import Gateway


def load() -> Gateway:
    """Fail as a site does with an app that cannot be imported."""
    sys.modules["taskproject.wsgi"] = None  # type: ignore[assignment]
    return web.load()
