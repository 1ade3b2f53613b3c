"""A machine that vanished, without a packet more, leaves no lock and no transaction for long."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from taskproject.embedded import EmbeddedPostgres
from tasks.worker.session import connection_parameters
from tests.faults.harness.proxy import drop_packets
from tests.project.conftest import open_directory
from tests.servers import running
from tests.waiting import wait_until

# An address of its own, so that the server's usual port is free there.
ADDRESS = f"127.{os.getpid() >> 16 & 0xFF}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF}"
LOCK = "SELECT pg_advisory_xact_lock(7)"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """Return a server that also listens on ADDRESS."""
    parameters = {"listen_addresses": ADDRESS}
    with open_directory() as directory, running(directory, parameters=parameters) as server:
        with (server.cluster / "pg_hba.conf").open("a") as authentication:
            authentication.write("host all all 127.0.0.0/8 trust\n")
        with psycopg.connect(server.url()) as session:
            session.execute("SELECT pg_reload_conf()")
        wait_until(lambda: admits(server), what="the server admits other machines")
        yield server


@pytest.fixture
def machine(server: EmbeddedPostgres) -> Iterator[psycopg.Connection[Any]]:
    """Return a session of another machine, connected as workers do, that holds a lock."""
    session = psycopg.connect(**place_of(server))
    session.execute(LOCK)
    yield session
    session.close()


def place_of(server: EmbeddedPostgres) -> dict[str, Any]:
    settings = server.connection_settings()
    own = {"host": ADDRESS, "dbname": settings["NAME"], "user": settings["USER"]}
    return {**connection_parameters(), **own}


def admits(server: EmbeddedPostgres) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(**place_of(server)).close()
        return True
    return False


def vanish(machine: psycopg.Connection[Any]) -> None:
    """Let a session's machine neither send nor receive anything more."""
    with socket.socket(fileno=os.dup(machine.fileno())) as endpoint:
        # This side would soon give up, and send that.
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
        drop_packets(endpoint)


def lock_is_free(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.url(), options="-c lock_timeout=30s") as session:
        session.execute(LOCK)
    return True


def test_the_lock_of_an_idle_session_becomes_free(
    server: EmbeddedPostgres, machine: psycopg.Connection[Any]
) -> None:
    vanish(machine)
    assert lock_is_free(server)


def test_the_lock_of_a_session_that_is_being_answered_becomes_free(
    server: EmbeddedPostgres, machine: psycopg.Connection[Any]
) -> None:
    machine.pgconn.send_query(b"SELECT repeat('x', 10000000) FROM pg_sleep(0.5)")
    vanish(machine)
    assert lock_is_free(server)
