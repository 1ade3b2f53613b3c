"""Query parameters: each is known, is given once, and has a value."""

from __future__ import annotations

from collections.abc import Collection

from django.http import QueryDict
from rest_framework.exceptions import ValidationError

from tasks.errors import InvalidInput
from tasks.filter_values import mistakes_in
from tasks.schema_errors import unknown_fields


def query_values(query: QueryDict, *, names: Collection[str] = ()) -> dict[str, str]:
    """Return the parameters; raise InvalidInput or ValidationError, which name the wrong ones.

    An unknown parameter may be a misspelt filter, without which the request would select too much.
    """
    if unknown := sorted(set(query) - set(names)):
        raise InvalidInput(unknown_fields(unknown, message="There is no such parameter."))
    if mistakes := mistakes_in(query):
        raise ValidationError(mistakes)
    return {name: str(value) for name, value in query.items()}
