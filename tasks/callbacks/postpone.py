"""Postponing the callbacks that wait for a receiver."""

from __future__ import annotations

from django.db import connection

from tasks import sql

POSTPONE_LIMIT = 1_000


def postpone_callbacks(
    *, owner_id: int | None, url: str, pause: float, spread: float = 0.0, coming: bool = False
) -> None:
    """Let what waits for the receiver of a URL wait `pause` seconds, and up to `spread` more.

    With `coming` so does what would come earlier than that.
    """
    params = {
        "owner": owner_id,
        "url": url,
        "start": sql.database_now(),
        "pause": pause,
        "spread": spread,
        "coming": coming,
        "limit": POSTPONE_LIMIT,
    }
    with connection.cursor() as cursor:
        while True:
            cursor.execute(sql.POSTPONE, params)
            if cursor.rowcount < POSTPONE_LIMIT:
                return
