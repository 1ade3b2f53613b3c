"""Forms with values that a verb checks."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms

from tasks.errors import FieldError


class VerbForm(forms.Form):
    """A form that shows the errors of the verb that it calls."""

    def add_errors(self, errors: Iterable[FieldError]) -> None:
        """Show a verb's errors at the fields they concern."""
        for error in errors:
            field, _, rest = error.field.partition(".")
            message = f"{self.name_place(rest)}: {error.message}" if rest else error.message
            self.add_error(field if field in self.fields else None, message)

    def name_place(self, rest: str) -> str:
        """Return how a place within a field's value is named."""
        return rest
