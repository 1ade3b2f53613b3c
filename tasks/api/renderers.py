"""The one way out for JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

_encode_other = JSONEncoder().default


class OrjsonRenderer(BaseRenderer):
    """Render JSON; instants as ISO 8601 with Z, UUIDs as text, decimals as numbers."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the document, nothing for None."""
        if data is None:
            return b""
        try:
            return orjson.dumps(data, default=_encode_other, option=orjson.OPT_UTC_Z)
        except orjson.JSONEncodeError:
            # Results may hold what orjson does not write: integers beyond 64 bits, other keys.
            return json.dumps(
                data, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":")
            ).encode()
