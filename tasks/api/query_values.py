"""Query parameters: each is known, is given once, and has a value."""

from __future__ import annotations

from collections.abc import Collection

from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from tasks.api.shapes.body import Body
from tasks.errors import InvalidInput
from tasks.filter_values import mistakes_in
from tasks.schema_errors import unknown_fields

_NOTHING = Body({"type": "object", "additionalProperties": False})


def query_values(query: QueryDict, *, names: Collection[str] = ()) -> dict[str, str]:
    """Return the parameters; raise InvalidInput or ValidationError, which name the wrong ones.

    An unknown parameter may be a misspelt filter, without which the request would select too much.
    """
    if unknown := sorted(set(query) - set(names)):
        raise InvalidInput(unknown_fields(unknown, message="There is no such parameter."))
    if mistakes := mistakes_in(query):
        raise ValidationError(mistakes)
    return {name: str(value) for name, value in query.items()}


def require_no_choice(request: Request) -> None:
    """Raise InvalidInput for a parameter or a body, where a part cannot be chosen.

    A request that names one would act on the others too.
    """
    query_values(request.query_params)
    _NOTHING.check(request.data)
