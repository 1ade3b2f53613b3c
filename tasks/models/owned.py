"""Rows that belong to somebody."""

from __future__ import annotations

from typing import Self, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import models

Row = TypeVar("Row", bound=models.Model)


class OwnedQuerySet(models.QuerySet[Row]):
    """Rows with an owner; null means that an anonymous caller made them."""

    def visible_to(self, user: AbstractBaseUser | AnonymousUser | None) -> Self:
        """Keep what this user may see."""
        sees_all, owner = reach(user)
        return self if sees_all else self.filter(owner=owner)


def reach(user: AbstractBaseUser | AnonymousUser | None) -> tuple[bool, int | None]:
    """Return whether a user sees every row, and whose they see otherwise: for every read.

    Staff who may view tasks see all, a user their own, an anonymous caller what nobody owns.
    """
    if not isinstance(user, User) or not user.is_active:
        return False, None
    return user.is_staff and user.has_perm("tasks.view_task"), user.pk
