"""Request bodies: JSON Schemas, which are checked and shown in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from tasks.errors import InvalidInput
from tasks.schema_errors import field_errors


class Body:
    """The JSON Schema of a request's body."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)

    @cached_property
    def _validator(self) -> Any:
        return jsonschema_rs.validator_for(self.schema)

    def check(self, value: Any) -> dict[str, Any]:
        """Return the object; raise InvalidInput naming the invalid fields."""
        if errors := field_errors(self._validator, value):
            raise InvalidInput(errors)
        accepted: dict[str, Any] = value
        return accepted
