"""JSON renderer of every response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder


class _Encoder(JSONEncoder):
    def default(self, obj: Any) -> Any:
        """Return the JSON value that stands for an object."""
        if isinstance(obj, orjson.Fragment):
            return json.loads(orjson.dumps(obj))
        return super().default(obj)


_encode_other = JSONEncoder().default


class OrjsonRenderer(BaseRenderer):
    """Render JSON: times as ISO 8601 with Z, UUIDs as text, decimals as numbers."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the JSON of the data, empty for None."""
        if data is None:
            return b""
        try:
            return orjson.dumps(data, default=_encode_other, option=orjson.OPT_UTC_Z)
        except orjson.JSONEncodeError:
            # orjson cannot write integers beyond 64 bits and keys that are not text.
            return json.dumps(
                data, cls=_Encoder, ensure_ascii=False, separators=(",", ":")
            ).encode()
