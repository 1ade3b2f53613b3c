"""Preflight checks: what prevents a start is reported in one sentence, before anything runs."""

from __future__ import annotations

import errno
import logging
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from taskproject.address_settings import LOCALHOST
from tasks.postgres.ping import is_away
from tasks.postgres.requirements import unmet_requirements
from tasks.startup import NotReady, check_start

log = logging.getLogger(__name__)

OLDEST_POSTGRES = 14
DATABASE_TIMEOUT = 10.0
DATABASE_POLL = 0.2
READ_ONLY = (
    "The database of DATABASE_URL takes no writes: it is a standby, or"
    " default_transaction_read_only is on."
)


def bound_address(host: str) -> str:
    """Return the address that the web server listens on, for an address or a name.

    Of several, the first of IPv4 is taken. May query a name server. Raises NotReady.
    """
    if host.lower() == LOCALHOST:
        # Whatever the system's table has: what is open to this machine must reach no other.
        return "127.0.0.1"
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    # The web server does not read the zone of an address.
    addresses = [(family, str(at[0])) for family, *_, at in found if "%" not in str(at[0])]
    if not addresses:
        raise NotReady(f"HOST={host!r} is not a name that has an address.")
    return min(addresses, key=lambda pair: pair[0] != socket.AF_INET)[1]


def check_port(address: str, port: int) -> None:
    """Check that the web server can listen on an address. Raises NotReady."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise NotReady(_why_not_bound(error, address, port)) from None


def check_web(*, take_over: bool) -> str:
    """Check what a web server that starts by itself needs; return its address. Raises NotReady."""
    address = bound_address(settings.HOST)
    if not take_over:
        check_port(address, settings.PORT)
    # `/health/ready` reports missing migrations; traffic comes when they are applied.
    if reason := check_start(needs_migrations=False):
        log.warning(
            "the database cannot be reached; it is not checked before the start",
            extra={"error": reason},
        )
    return address


def check_directory(directory: Path) -> None:
    """Check that files can be written to a directory below DATA_DIR. Raises NotReady."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise NotReady(
            f"{str(directory)!r} cannot be written ({error.strerror}): "
            "set DATA_DIR to a directory that this user may write to."
        ) from None


def check_database(
    parameters: dict[str, Any], *, pooled: bool = False, timeout: float = DATABASE_TIMEOUT
) -> None:
    """Check that the database of DATABASE_URL answers and can be used. Raises NotReady.

    `parameters` are those of psycopg. A server that is only just starting is waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        # libpq counts whole seconds, and takes 1 for 2.
        patient = {**parameters, "connect_timeout": max(2, round(left))}
        try:
            with psycopg.connect(**patient) as probe:
                check_version(probe.info.server_version)
                for sentence in unmet_requirements(probe.cursor(), pooled=pooled):
                    raise NotReady(sentence)
                if _takes_writes(probe):
                    return
                # It may be a standby that is being promoted.
                if left < DATABASE_POLL:
                    raise NotReady(READ_ONLY)
        except psycopg.Error as error:
            if left < DATABASE_POLL or not is_away(patient):
                raise NotReady(_why_refused(error, patient)) from None
        time.sleep(DATABASE_POLL)


def check_version(server_version: int) -> None:
    """Check that a server, by libpq's version number, is recent enough. Raises NotReady."""
    if server_version < OLDEST_POSTGRES * 10_000:
        raise NotReady(
            f"DATABASE_URL points to PostgreSQL {server_version // 10_000}, "
            f"but version {OLDEST_POSTGRES} or newer is needed."
        )


def _takes_writes(probe: psycopg.Connection[Any]) -> bool:
    return probe.execute("SHOW transaction_read_only").fetchone() == ("off",)


def _why_refused(error: psycopg.Error, parameters: dict[str, Any]) -> str:
    without = {name: value for name, value in parameters.items() if name != "options"}
    if "options" in parameters and _connects(without):
        return (
            "The database of DATABASE_URL refuses the settings of a session, as poolers do: add "
            "?DISABLE_SERVER_SIDE_CURSORS=true to DATABASE_URL."
        )
    reason = " ".join(str(error).split())
    return f"The database of DATABASE_URL cannot be reached: {reason}"


def _connects(parameters: dict[str, Any]) -> bool:
    try:
        psycopg.connect(**parameters).close()
    except psycopg.Error:
        return False
    return True


def _why_not_bound(error: OSError, address: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {address} is in use: choose another with PORT=…"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} cannot be used by this user: choose one above 1023 with PORT=…"
    reason = os.strerror(error.errno or 0)
    return (
        f"The web server cannot listen on {address} ({reason}): "
        "set HOST to an address or the name of this machine, such as 127.0.0.1."
    )
