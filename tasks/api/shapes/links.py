"""Links between resources."""

from __future__ import annotations

import functools
import uuid

from django.urls import reverse


def path_to(route: str, id: uuid.UUID) -> str:
    """Return the path of one resource."""
    return _pattern(route).replace(_PLACEHOLDER, str(id))


_PLACEHOLDER = str(uuid.UUID(int=0))


@functools.cache
def _pattern(route: str) -> str:
    # Reversing is the most expensive part of a link, and lists have many.
    return reverse(route, args=[_PLACEHOLDER])
