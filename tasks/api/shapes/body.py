"""Request bodies: JSON Schemas, which are checked and shown in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from typing import Any

import jsonschema_rs

from tasks.api.problems.handler import MAX_REPORTED_ERRORS
from tasks.errors import FieldError, InvalidInput


class Body:
    """The JSON Schema of a request's body."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)

    @cached_property
    def _validator(self) -> Any:
        return jsonschema_rs.validator_for(self.schema)

    def check(self, value: Any) -> dict[str, Any]:
        """Return the object; raise InvalidInput naming the invalid fields."""
        if not self._validator.is_valid(value):
            schema_errors = islice(self._validator.iter_errors(value), MAX_REPORTED_ERRORS)
            raise InvalidInput([error for each in schema_errors for error in _field_errors(each)])
        accepted: dict[str, Any] = value
        return accepted


def _field_errors(error: Any) -> list[FieldError]:
    path = list(map(str, error.instance_path))
    match error.kind.name:
        case "additionalProperties":
            names, message = error.kind.unexpected, "There is no such field."
        case "required":
            names, message = [error.kind.property], "This field is required."
        case _:
            return [FieldError(".".join(path), error.message[:300])]
    return [FieldError(".".join([*path, name[:100]]), message) for name in names]
