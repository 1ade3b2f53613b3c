"""One task by its id: the read that clients repeat until it has ended."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db.models import JSONField

from tasks.access import Caller, visible_scope
from tasks.models import Task
from tasks.postgres.base import prepared_cursor


def task_by_id(task_id: uuid.UUID, *, user: Caller, only: Sequence[str] = ()) -> Task | None:
    """Return a task that the user sees, with all its columns or only some.

    As the ORM would, without building the same statement for each of thousands of requests.
    """
    statement, names, documents = _statement(tuple(only))
    sees_all, owner = visible_scope(user)
    with prepared_cursor() as cursor:
        cursor.execute(statement, {"id": task_id, "sees_all": sees_all, "owner": owner})
        found = cursor.fetchone()
    if found is None:
        return None
    row = list(found)
    for index in documents:
        if row[index] is not None:
            row[index] = json.loads(row[index])
    return Task.from_db("default", names, row)


@cache
def _statement(only: tuple[str, ...]) -> tuple[str, list[str], list[int]]:
    """Return the statement, the fields that it reads, and which of them are JSON."""
    fields = [field for field in Task._meta.concrete_fields if not only or field.attname in only]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    statement = (
        f"SELECT {columns} FROM {Task._meta.db_table} WHERE id = %(id)s"  # noqa: S608 our own names
        " AND (%(sees_all)s OR owner_id IS NOT DISTINCT FROM %(owner)s::bigint)"
    )
    names: list[Any] = [field.attname for field in fields]
    documents = [index for index, field in enumerate(fields) if isinstance(field, JSONField)]
    return statement, names, documents
