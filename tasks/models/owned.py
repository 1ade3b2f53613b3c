"""Rows with an owner, and which of them a user may see and change."""

from __future__ import annotations

from typing import Self, TypeVar

from django.db import models

from tasks.access import Caller, may_operate, visible_scope

Row = TypeVar("Row", bound=models.Model)


class OwnedQuerySet(models.QuerySet[Row]):
    """Rows with an owner; null means that an anonymous caller created them."""

    def visible_to(self, user: Caller) -> Self:
        """Keep the rows that this user may see."""
        sees_all, owner = visible_scope(user)
        return self if sees_all else self.filter(owner=owner)

    def changeable_by(self, user: Caller) -> Self:
        """Keep the rows that this user may change."""
        _, owner = visible_scope(user)
        return self if may_operate(user) else self.filter(owner=owner)
