"""The fault harness's proxy: each fault has the effect that its name describes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.faults.harness.proxy import Proxy
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)

Connect = Callable[..., "psycopg.Connection[tuple[int]]"]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    directory = connection.settings_dict["HOST"]
    with Proxy(Path(directory, ".s.PGSQL.5432"), random.Random(1)) as running:
        yield running


@pytest.fixture
def connect(proxy: Proxy) -> Iterator[Connect]:
    opened: list[psycopg.Connection[tuple[int]]] = []

    def client(**options: int) -> psycopg.Connection[tuple[int]]:
        opened.append(
            psycopg.connect(proxy.url(database_url()), autocommit=True, **options)  # type: ignore[arg-type]
        )
        return opened[-1]

    with psycopg.connect(database_url(), autocommit=True) as direct:
        direct.execute("CREATE TABLE IF NOT EXISTS proxied (n int)")
        direct.execute("TRUNCATE proxied")
    yield client
    for session in opened:
        session.close()


def count() -> int:
    with psycopg.connect(database_url()) as direct:
        row = direct.execute("SELECT count(*) FROM proxied").fetchone()
        assert row
        return int(row[0])


def test_the_proxy_passes_statements_and_results_on(connect: Connect):
    client = connect()
    for n in range(20):
        client.execute("INSERT INTO proxied VALUES (%s)", [n], prepare=True)
    assert client.execute("SELECT sum(n) FROM proxied").fetchone() == (190,)
    client.execute("INSERT INTO proxied SELECT n FROM generate_series(1, 100000) AS n")
    assert len(client.execute("SELECT n FROM proxied").fetchall()) == 100_020


@pytest.mark.parametrize("prepare", [True, False])
def test_a_statement_is_committed_and_its_answer_cut_off(
    proxy: Proxy, connect: Connect, prepare: bool
):
    client = connect()
    client.execute("INSERT INTO proxied VALUES (%s)", [1], prepare=prepare)
    proxy.cut_after(lambda sql: sql.startswith(b"INSERT INTO proxied"))
    assert client.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        client.execute("INSERT INTO proxied VALUES (%s)", [2], prepare=prepare)
    assert (count(), proxy.cuts) == (2, 1)


def test_a_transaction_is_committed_and_its_answer_cut_off(proxy: Proxy, connect: Connect):
    client = connect()
    proxy.cut_after(lambda sql: sql == b"COMMIT")
    with pytest.raises(psycopg.OperationalError), client.transaction():
        client.execute("INSERT INTO proxied VALUES (1)")
    assert (count(), proxy.cuts) == (1, 1)


def test_a_black_hole_lets_statements_and_connections_time_out(proxy: Proxy, connect: Connect):
    client = connect(tcp_user_timeout=1_000, keepalives_idle=1, keepalives_interval=1)
    proxy.swallow()
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")
    assert 0.9 < time.monotonic() - began < 10
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        connect(connect_timeout=2)
    proxy.heal()
    assert connect().execute("SELECT 1").fetchone() == (1,)


def test_a_stalled_proxy_keeps_its_connections_and_resumes_when_healed(
    proxy: Proxy, connect: Connect
):
    client = connect(tcp_user_timeout=1_000)
    proxy.stall()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        connect(connect_timeout=2)
    proxy.heal()
    assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_slow_proxy_delays_each_round_trip(proxy: Proxy, connect: Connect):
    client = connect()
    proxy.slow(seconds=0.2)
    began = time.monotonic()
    client.execute("SELECT 1")
    assert time.monotonic() - began >= 0.2


def test_a_reset_ends_the_connection(proxy: Proxy, connect: Connect):
    client = connect()
    proxy.slow(seconds=0.0, resets=1.0)
    with pytest.raises(psycopg.OperationalError):
        client.execute("SELECT 1")
    proxy.heal()
    other = connect()
    proxy.reset_all()
    with pytest.raises(psycopg.OperationalError):
        other.execute("SELECT 1")
