"""Postponement of callbacks to a receiver that does not answer."""

from __future__ import annotations

from django.db import connection

from tasks import sql

POSTPONE_LIMIT = 1_000


def postpone_callbacks(
    *,
    owner_id: int | None,
    url: str,
    pause: float,
    spread: float = 0.0,
    include_earlier: bool = False,
) -> None:
    """Postpone the callbacks to a URL's receiver by `pause` to `pause + spread` seconds.

    `include_earlier` also takes those already postponed to an earlier time than that.
    """
    params = {
        "owner": owner_id,
        "url": url,
        "start": sql.database_now(),
        "pause": pause,
        "spread": spread,
        "include_earlier": include_earlier,
        "limit": POSTPONE_LIMIT,
    }
    with connection.cursor() as cursor:
        while True:
            cursor.execute(sql.POSTPONE, params)
            if cursor.rowcount < POSTPONE_LIMIT:
                return
