"""Preflight checks: what prevents a start is reported in one sentence, before anything runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from taskproject import web
from taskproject.preflight import (
    bound_address,
    check_database,
    check_directory,
    check_port,
    check_version,
)
from tasks.startup import NotReady
from tests.databases import database, open_session
from tests.project.conftest import ROOT
from tests.servers import drop_database


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


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_the_error_for_an_address_of_another_machine_names_the_address(address: str) -> None:
    with pytest.raises(NotReady, match=f"cannot listen on {address} "):
        check_port(address, 0)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 70, "a..b"])
def test_the_error_for_a_name_without_an_address_names_it(host: str) -> None:
    with pytest.raises(NotReady, match=f"HOST='{host}' is not a name that has an address"):
        bound_address(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", "192.0.2.1"])
def test_an_address_is_the_one_that_is_listened_to(host: str) -> None:
    assert bound_address(host) == host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST"])
def test_localhost_is_this_machine_alone_whatever_the_system_says(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver("192.0.2.1"))
    assert bound_address(host) == "127.0.0.1"


@pytest.mark.parametrize(
    ("addresses", "bound"),
    [
        (["2001:db8::1", "192.0.2.1", "192.0.2.2"], "192.0.2.1"),
        (["fe80::1%eth0", "2001:db8::1", "2001:db8::2"], "2001:db8::1"),
    ],
)
def test_a_name_is_its_first_address_of_ipv4_or_else_of_ipv6(
    addresses: list[str], bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(*addresses))
    assert bound_address("machine.example") == bound
    assert f"--host={bound}" in web.command(bound)


def resolver(*addresses: str) -> Callable[..., list[Any]]:
    """Return a stand-in for the system's table of names."""

    def find(*_: Any, **__: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, 1, 6, "", (address, 0))
            for address in addresses
        ]

    return find


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


@contextmanager
def answering(*answers: bytes) -> Iterator[dict[str, object]]:
    """Answer the request for each session with the next answer, as a server does, then close."""
    command = [sys.executable, "-m", "tests.project.refusing", *(part.hex() for part in answers)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            yield {"host": "127.0.0.1", "port": port, "dbname": "x", "user": "x"}
        finally:
            process.kill()


def refusal(code: str, text: str) -> bytes:
    """Return a server's refusal of a session, in its language."""
    fields = f"SFATAL\0VFATAL\0C{code}\0M{text}\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4) + fields


def test_a_server_that_is_starting_is_waited_for_in_any_language() -> None:
    # Each try is a connection and a ping.
    starting = refusal("57P03", "das Datenbanksystem startet gerade")
    final = refusal("28000", "keine Berechtigung")
    with (
        answering(*[starting] * 4, *[final] * 2) as parameters,
        pytest.raises(NotReady, match="keine Berechtigung"),
    ):
        check_database(parameters, timeout=60)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("search_path = ''", "no schema for their tables: none of search_path="),
        ("default_transaction_read_only = on", "takes no writes: it is a standby, or"),
    ],
)
def test_a_database_whose_sessions_can_store_nothing_is_refused(
    setting: str, sentence: str, django_db_blocker: DjangoDbBlocker
) -> None:
    name = f"unusable_{os.getpid()}"
    with django_db_blocker.unblock(), database(name):
        with open_session("postgres") as session:
            session.execute(f"ALTER DATABASE {name} SET {setting}".encode())
        parameters = {**connection.get_connection_params(), "dbname": name}
        with pytest.raises(NotReady, match=sentence):
            check_database(parameters, timeout=0.5)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_with_another_encoding_is_refused(
    encoding: str, django_db_blocker: DjangoDbBlocker
) -> None:
    name = f"encoding_{os.getpid()}"
    with django_db_blocker.unblock():
        with open_session("postgres") as session:
            session.execute(
                f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' LOCALE_PROVIDER libc"
                " TEMPLATE template0".encode()
            )
        try:
            parameters = {**connection.get_connection_params(), "dbname": name}
            with pytest.raises(NotReady, match=f"is {encoding}, but UTF8 is needed"):
                check_database(parameters)
        finally:
            with open_session("postgres") as session:
                drop_database(session, name)


def test_the_session_settings_that_a_pooler_does_not_pass_on_are_named(
    django_db_blocker: DjangoDbBlocker,
) -> None:
    name = f"pooled_{os.getpid()}"
    with django_db_blocker.unblock(), database(name):
        with open_session("postgres") as session:
            session.execute(f"ALTER DATABASE {name} SET datestyle = 'German'".encode())
            session.execute(f"ALTER DATABASE {name} SET extra_float_digits = 3".encode())
        parameters = {**connection.get_connection_params(), "dbname": name, "options": ""}
        sentence = f"ALTER ROLE tasks IN DATABASE {name} SET DateStyle = 'ISO'; Then let"
        with pytest.raises(NotReady, match=sentence) as caught:
            check_database(parameters, pooled=True)
        assert "have DateStyle=German, DMY, which" in str(caught.value)
        with open_session(name) as session:
            session.execute(f"ALTER ROLE tasks IN DATABASE {name} SET DateStyle = 'ISO'".encode())
        check_database(parameters, pooled=True)


def test_a_pooler_that_refuses_options_is_explained() -> None:
    refused = refusal("08P01", "unsupported startup parameter: options")
    # What follows the refusals of the session and of the ping is a session without options.
    session = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"
    with (
        answering(refused, refused, session) as parameters,
        pytest.raises(NotReady, match="DISABLE_SERVER_SIDE_CURSORS=true"),
    ):
        check_database({**parameters, "options": "-c DateStyle=ISO"}, timeout=60)


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
