"""Search for the nearest vectors: exact on any PostgreSQL, faster with pgvector."""

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

# Every vector of the dimension is compared; the database ends a search that takes longer.
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
    """A stored vector and its cosine with the one that was searched for."""

    vector: Vector
    score: float


def nearest(
    vector: Sequence[float],
    *,
    user: User | AnonymousUser,
    limit: int,
    cosine: type[Func] | None = None,
) -> list[Match]:
    """Return the nearest of the vectors that a user can see; raise NoDirection."""
    target = Value(direction(vector), output_field=ArrayField(FloatField()))
    score = (cosine or _fastest_cosine())(F("components"), target)
    rows: Any = (
        Vector.objects.visible_to(user)
        .filter(dimension=len(vector))
        .annotate(score=score)
        .order_by("-score", "id")
        .defer("components")[:limit]
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [LONGEST_SEARCH])
        return [Match(row, max(-1.0, min(1.0, row.score))) for row in rows]


@cache
def _fastest_cosine() -> type[Func]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regtype('vector') IS NOT NULL")
        (has_pgvector,) = cursor.fetchone()
    return CosineByPgvector if has_pgvector else CosineBySum
