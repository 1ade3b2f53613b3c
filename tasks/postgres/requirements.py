"""What the engine needs of a database and of each session in it, whatever its owner has set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

# Our statements, and the values that psycopg reads, depend on these.
SESSION_SETTINGS = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "default_transaction_isolation": "read committed",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    "exit_on_error": "off",
}
# Django sets the time zone with a query where the session does not have it.
_STARTUP = {**SESSION_SETTINGS, "TimeZone": "UTC"}
# libpq's parameters for the client's side of a connection, and the server's names for its own side.
# Where only the client has them, a machine that vanishes leaves its transactions and locks to the
# server for two hours. Neither side uses them on a Unix socket.
_ON_BOTH_SIDES = {
    "keepalives_idle": "tcp_keepalives_idle",
    "keepalives_interval": "tcp_keepalives_interval",
    "keepalives_count": "tcp_keepalives_count",
    "tcp_user_timeout": "tcp_user_timeout",
}
# Values that do as well, by what follows the order of the input or the number of digits.
_EQUIVALENT = {
    "default_transaction_isolation": {"read uncommitted"},
    "extra_float_digits": {"2", "3"},
}
ENCODING = "UTF8"


def startup_options(params: Mapping[str, Any]) -> str:
    """Return the `options` of a connection; of those of DATABASE_URL, what is needed here wins.

    `params` are those of the connection for libpq.
    """
    # libpq reads PGOPTIONS only where a connection has no options.
    own = params.get("options") or os.environ.get("PGOPTIONS", "")
    server = {_ON_BOTH_SIDES[name]: str(params[name]) for name in _ON_BOTH_SIDES if name in params}
    return " ".join(part for part in (as_options(server), own, as_options(_STARTUP)) if part)


def as_options(settings: Mapping[str, str]) -> str:
    """Return settings as options of a connection, of which the last one for a setting counts."""
    return " ".join(f"-c {name}=" + value.replace(" ", "\\ ") for name, value in settings.items())


def unmet_requirements(cursor: Any, *, pooled: bool) -> list[str]:
    """Return a sentence for each requirement that a database does not meet.

    A pooler passes no settings on, so that its sessions have what the owner has set.
    """
    cursor.execute(
        "SELECT current_setting('server_encoding'), current_schema(),"
        " current_setting('search_path')"
    )
    ((encoding, schema, path),) = cursor.fetchall()
    sentences = []
    if encoding != ENCODING:
        sentences.append(
            f"The encoding of the database in DATABASE_URL is {encoding}, but {ENCODING} is needed:"
            f" create another with CREATE DATABASE … ENCODING '{ENCODING}' TEMPLATE template0."
        )
    if schema is None:
        sentences.append(
            "The sessions of the database in DATABASE_URL have no schema for their tables: none of"
            f" search_path={path!r} exists and may be used by this role."
        )
    if pooled and (different := _different_settings(cursor)):
        sentences.append(_remedy(cursor, different))
    return sentences


def _different_settings(cursor: Any) -> dict[str, str]:
    """Return the settings of a session with which statements or values would be wrong."""
    cursor.execute(
        "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(SESSION_SETTINGS)]
    )
    return {
        name: value
        for name, value in cursor.fetchall()
        # DateStyle is followed by the order in which input is read.
        if value.partition(",")[0] not in {SESSION_SETTINGS[name], *_EQUIVALENT.get(name, ())}
    }


def _remedy(cursor: Any, different: dict[str, str]) -> str:
    cursor.execute("SELECT quote_ident(current_user), quote_ident(current_database())")
    ((role, database),) = cursor.fetchall()
    values = ", ".join(f"{name}={value}" for name, value in different.items())
    statements = " ".join(
        f"ALTER ROLE {role} IN DATABASE {database} SET {name} = '{SESSION_SETTINGS[name]}';"
        for name in different
    )
    return (
        f"The sessions of the database in DATABASE_URL have {values}, which a pooler does not let"
        f" this system change: run {statements} Then let the pooler connect again."
    )
