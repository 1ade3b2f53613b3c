"""Input schemas of the kinds: what they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def input_schema(properties: Mapping[str, Any], *, required: Sequence[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of an object that has these properties and no others."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": dict(properties),
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
    }


def body_schema(input: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input's schema as a part of the OpenAPI document, which names its own dialect."""
    return {key: value for key, value in input.items() if key != "$schema"}
