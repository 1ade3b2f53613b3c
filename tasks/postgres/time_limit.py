"""Time limit: a part of the code in which no statement may take long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# To connect has a limit of its own.
STATEMENT_SECONDS = 2
_LIMIT = f"SELECT set_config('statement_timeout', '{STATEMENT_SECONDS}s', true)"


@contextmanager
def limited() -> Iterator[None]:
    """Let the server end each statement that takes longer than STATEMENT_SECONDS.

    In a transaction, because a pooler passes on no settings of sessions.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LIMIT)
        yield
