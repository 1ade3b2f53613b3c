"""Ping: whether a server is away, or there and refuses the connection.

libpq goes by the SQLSTATE of the answer; its words depend on the server's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import pq
from psycopg.conninfo import make_conninfo

_NOT_FOR_LIBPQ = {"context", "cursor_factory", "prepare_threshold", "autocommit"}


def is_away(params: Mapping[str, Any]) -> bool:
    """Return whether a server does not answer, or answers that it takes no connections yet.

    `params` are those of psycopg.
    """
    known = {name: value for name, value in params.items() if name not in _NOT_FOR_LIBPQ and value}
    answer = pq.PGconn.ping(make_conninfo(**known).encode())
    return answer in (pq.Ping.NO_RESPONSE, pq.Ping.REJECT)
