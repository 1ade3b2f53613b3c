"""Routes that act as a whole: a part cannot be chosen."""

from __future__ import annotations

from rest_framework.request import Request

from tasks.api.query_values import query_values
from tasks.api.shapes.body import Body

_NOTHING = Body({"type": "object", "additionalProperties": False})


def require_no_choice(request: Request) -> None:
    """Raise InvalidInput for a parameter or a body.

    A request that names a part would act on the others too.
    """
    query_values(request.query_params)
    _NOTHING.check(request.data)
