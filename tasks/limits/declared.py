"""Declared limits: the rows of the limits that kinds have in code."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from tasks import kinds
from tasks.limits.rules import change, delete
from tasks.models import Limit, Scope


def declare() -> None:
    """Bring the rows in line with the code of this process.

    An operator's change stays until the declaration itself changes. Limits of kinds that this
    process does not know stay as they are.
    """
    stored = {
        (limit.name, limit.path): limit
        for limit in Limit.objects.filter(parent=None, declared__isnull=False)
    }
    for kind in kinds.all_kinds().values():
        declared = {limit.key or "": limit for limit in kind.limits}
        for (name, path), row in stored.items():
            limit = declared.get(path)
            if name == kind.name and (limit is None or limit.ordered != row.ordered):
                delete(row)
        for path, limit in declared.items():
            _declare(kind.name, path, limit)


def _declare(name: str, path: str, limit: kinds.Limit) -> None:
    values: dict[str, Any] = {"concurrent": limit.concurrent, "rate": limit.rate}
    if limit.rate:
        values["burst"] = limit.burst
    scope = Scope.KEY if path else Scope.KIND
    defaults: dict[str, Any] = {"changed_at": Now()}
    if limit.ordered:
        defaults |= {"ordered": True, "concurrent": 1}
    with transaction.atomic():
        row, _ = Limit.objects.get_or_create(
            scope=scope, name=name, path=path, parent=None, defaults=defaults
        )
        if row.declared != values:
            change(row, **values)
            Limit.objects.filter(pk=row.pk).update(declared=values)
