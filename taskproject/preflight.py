"""Preflight checks: what prevents a start is reported in one sentence, before anything runs."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

OLDEST_POSTGRES = 14
DATABASE_TIMEOUT = 10.0
DATABASE_POLL = 0.2


class NotReady(Exception):
    """Something outside prevents a start; the message is a sentence with the remedy."""


def check_port(host: str, port: int) -> None:
    """Check that the web server can listen. Raises NotReady."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise NotReady(f"HOST={host!r} is not an address of this machine.") from None
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise NotReady(_why_not_bound(error, host, port)) from None


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


def check_database(parameters: dict[str, Any], *, timeout: float = DATABASE_TIMEOUT) -> None:
    """Check that the database of DATABASE_URL answers and is recent enough. Raises NotReady.

    `parameters` are those of psycopg. A server that is only just starting is waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            # libpq counts whole seconds, and takes 1 for 2.
            with psycopg.connect(**{**parameters, "connect_timeout": max(2, round(left))}) as probe:
                return check_version(probe.info.server_version)
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            if left < DATABASE_POLL or _is_final(reason):
                raise NotReady(
                    f"The database of DATABASE_URL cannot be reached: {reason}"
                ) from None
        time.sleep(DATABASE_POLL)


def check_version(server_version: int) -> None:
    """Check that a server, by libpq's version number, is recent enough. Raises NotReady."""
    if server_version < OLDEST_POSTGRES * 10_000:
        raise NotReady(
            f"DATABASE_URL points to PostgreSQL {server_version // 10_000}, "
            f"but version {OLDEST_POSTGRES} or newer is needed."
        )


def _is_final(reason: str) -> bool:
    """Return whether the server rejects us, rather than is still starting."""
    return "FATAL" in reason and "the database system is" not in reason


def _why_not_bound(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: choose another with PORT=…"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} cannot be used by this user: choose one above 1023 with PORT=…"
    return f"The web server cannot listen on HOST={host!r} ({os.strerror(error.errno or 0)})."
