"""Preflight checks: what prevents a start is reported in one sentence, before anything runs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from taskproject.preflight import (
    NotReady,
    check_database,
    check_directory,
    check_port,
    check_version,
)


@pytest.fixture
def port_in_use() -> Iterator[int]:
    """Return a port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_error_for_a_port_in_use_names_the_port(port_in_use: int) -> None:
    with pytest.raises(NotReady, match=f"Port {port_in_use} on 127.0.0.1 is in use"):
        check_port("127.0.0.1", port_in_use)


def test_a_port_just_left_can_be_used_again(port_in_use: int) -> None:
    # The side that closes first keeps the port in TIME_WAIT.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        listener.accept()[0].close()
        client.close()
    check_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_the_error_for_an_address_of_another_machine_names_the_address(host: str) -> None:
    with pytest.raises(NotReady, match=f"HOST='{host}'"):
        check_port(host, 0)


def test_the_error_for_an_unwritable_directory_names_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotReady, match=r"cannot be written .*: set DATA_DIR"):
        check_directory(tmp_path / "file" / "data")


def test_a_database_that_answers_is_accepted() -> None:
    check_database(connection.get_connection_params())


def test_a_missing_database_server_is_reported_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(NotReady, match=r"cannot be reached: .*Connection refused"):
        check_database({"host": "127.0.0.1", "port": port, "dbname": "x"}, timeout=0.5)
    assert 0.2 < time.monotonic() - began < 5


def test_a_server_that_rejects_the_connection_is_not_tried_again() -> None:
    parameters = {**connection.get_connection_params(), "dbname": "nonsense"}
    began = time.monotonic()
    with pytest.raises(NotReady, match='database "nonsense" does not exist'):
        check_database(parameters, timeout=60)
    assert time.monotonic() - began < 5


def test_an_error_message_does_not_contain_the_password() -> None:
    parameters = {**connection.get_connection_params(), "dbname": "nonsense", "password": "sesame"}
    with pytest.raises(NotReady) as caught:
        check_database(parameters, timeout=1)
    assert "sesame" not in str(caught.value)


def test_an_old_postgresql_is_refused() -> None:
    with pytest.raises(
        NotReady, match="points to PostgreSQL 13, but version 14 or newer is needed"
    ):
        check_version(13_00_12)


def test_the_oldest_postgresql_supported_is_accepted() -> None:
    check_version(14_00_00)
