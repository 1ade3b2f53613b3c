"""libpq's variables of the environment, which are meant for the database of DATABASE_URL."""

from __future__ import annotations

import os

from psycopg import pq

# The server takes these after the settings that this system needs in its sessions.
_OF_SESSIONS = {"PGDATESTYLE", "PGTZ"}
# libpq lists the variables of its parameters, and has these besides.
_NOT_LISTED = {"PGGEQO", "PGLOCALEDIR", "PGOAUTHDEBUG", "PGSERVICEFILE", "PGSYSCONFDIR"}


def remove_libpq_variables(*, embedded: bool) -> None:
    """Remove from this process what would set up sessions otherwise than they must be.

    For the embedded server these are all of libpq's variables: the settings have its whole address.
    """
    listed = {option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    for name in _OF_SESSIONS | (listed | _NOT_LISTED if embedded else set()):
        os.environ.pop(name, None)
