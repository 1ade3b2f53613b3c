"""A task by its id: the read that clients repeat until the task has ended."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from django.db.models import JSONField

from tasks.access import Caller, visible_scope
from tasks.models import Task
from tasks.postgres.base import prepared_cursor

# These may have megabytes: to parse and write them again would hold up every other thread.
_LARGE = ("input", "result")


def task_by_id(
    task_id: uuid.UUID, *, user: Caller, only: Sequence[str] = (), to_render: bool = False
) -> Task | None:
    """Return a task if the user may see it, with all its columns or only some.

    The same as an ORM query, but the statement is built once and not for each request. `to_render`
    leaves input and result as the database's JSON, which only the JSON renderer can use.
    """
    statement, names, json_columns = _statement(tuple(only))
    sees_all, owner = visible_scope(user)
    with prepared_cursor() as cursor:
        cursor.execute(statement, {"id": task_id, "sees_all": sees_all, "owner": owner})
        values = cursor.fetchone()
    if values is None:
        return None
    row = list(values)
    for index in json_columns:
        if row[index] is not None:
            load = orjson.Fragment if to_render and names[index] in _LARGE else json.loads
            row[index] = load(row[index])
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
    json_columns = [index for index, field in enumerate(fields) if isinstance(field, JSONField)]
    return statement, names, json_columns
