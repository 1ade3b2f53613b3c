"""Gateway: takes requests from the server's event loop to Django's threads."""

from __future__ import annotations

from tasks.api.gateway.gateway import Gateway

__all__ = ["Gateway"]
