"""Rows that belong to somebody."""

from __future__ import annotations

from typing import Self, TypeVar

from django.db import models

from tasks.access import Caller, visible_scope

Row = TypeVar("Row", bound=models.Model)


class OwnedQuerySet(models.QuerySet[Row]):
    """Rows with an owner; null means that an anonymous caller made them."""

    def visible_to(self, user: Caller) -> Self:
        """Keep what this user may see."""
        sees_all, owner = visible_scope(user)
        return self if sees_all else self.filter(owner=owner)
