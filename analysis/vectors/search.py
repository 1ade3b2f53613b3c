"""The search for the nearest vectors, exact on any PostgreSQL and faster where pgvector is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.postgres.fields import ArrayField
from django.db import connection, transaction
from django.db.models import F, FloatField, Func, Value

from analysis.models import Vector
from analysis.vectors.directions import direction

# Every comparable vector is looked at; a search that would take longer is given up.
LONGEST_SEARCH = "10s"


class CosineByPgvector(Func):
    """The cosine of two directions, computed by pgvector in single precision."""

    template = "(1 - (%(expressions)s::vector))"
    arg_joiner = "::vector <=> "
    output_field = FloatField()


class CosineBySum(Func):
    """The cosine of two directions, which is the sum of the products of their components."""

    template = "(SELECT sum(a * b) FROM unnest(%(expressions)s) AS pair (a, b))"
    output_field = FloatField()


@dataclass(frozen=True)
class Match:
    """A vector that was found, and the cosine of the angle: 1 is the same direction."""

    vector: Vector
    score: float


def nearest(
    vector: Sequence[float],
    *,
    user: User | AnonymousUser,
    limit: int,
    cosine: type[Func] | None = None,
) -> list[Match]:
    """Return the nearest of the vectors that a user sees; raise NoDirection."""
    wanted = Value(direction(vector), output_field=ArrayField(FloatField()))
    score = (cosine or _fastest_cosine())(F("components"), wanted)
    found: Any = (
        Vector.objects.visible_to(user)
        .filter(dimension=len(vector))
        .annotate(score=score)
        .order_by("-score", "id")
        .defer("components")[:limit]
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [LONGEST_SEARCH])
        return [Match(one, max(-1.0, min(1.0, one.score))) for one in found]


@cache
def _fastest_cosine() -> type[Func]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regtype('vector') IS NOT NULL")
        (has_pgvector,) = cursor.fetchone()
    return CosineByPgvector if has_pgvector else CosineBySum
