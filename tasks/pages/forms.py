"""Form for a kind's input."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.http import QueryDict

from tasks.errors import FieldError, InvalidInput
from tasks.kinds import Kind
from tasks.schema_fields import ObjectField, fields_of

# The only field of the form for a schema without simple properties.
WHOLE = "input"


class InputForm(forms.Form):
    """A field for each property of the kind's schema, or one field for a JSON object."""

    def __init__(self, data: QueryDict | None = None, *, kind: Kind) -> None:
        super().__init__(data, label_suffix="")
        self._kind = kind
        properties = fields_of(kind.schema)
        self._is_whole = properties is None
        self.fields.update(properties if properties is not None else {WHOLE: _whole_field()})

    @cached_property
    def input(self) -> dict[str, Any]:
        """Return the task's input; the form must be valid."""
        if self._is_whole:
            whole: dict[str, Any] = self.cleaned_data[WHOLE]
            return whole
        return {name: value for name, value in self.cleaned_data.items() if value is not None}

    def clean(self) -> dict[str, Any]:
        """Validate against the kind's schema; add each error to its field."""
        if self.errors:
            return self.cleaned_data
        try:
            self._kind.validate(self.input)
        except InvalidInput as invalid:
            for error in invalid.errors:
                self._add(error)
        return self.cleaned_data

    def _add(self, error: FieldError) -> None:
        place = error.moved("input", "").field
        name, _, deeper = place.partition(".")
        if self._is_whole:
            self.add_error(WHOLE, f"{place}: {error.message}" if place else error.message)
        elif name in self.fields:
            self.add_error(name, f"{deeper}: {error.message}" if deeper else error.message)
        else:
            self.add_error(None, f"{place}: {error.message}" if place else error.message)


def _whole_field() -> forms.Field:
    return ObjectField(label="Input", help_text="A JSON object.", initial="{}")
