"""Failures of statements, told apart by SQLSTATE as the server really sends it."""

from __future__ import annotations

import psycopg
import pytest
from django import db
from django.db import connection

from tasks.lifecycle.enqueue import _is_refusal
from tasks.postgres.failures import is_outage, is_refused_value, may_pass, sqlstate
from tests.workers import database_url

pytestmark = pytest.mark.django_db

OUTAGES = ["08006", "57P01", "57P03", "25006", "53300", "25P03"]
PASSING = ["40001", "40P01", "55P03", "57014", "53100", "53200", "58030", "XX000"]
REFUSED = ["22003", "22P05", "54000", "54001"]
FINAL = ["23505", "23503", "42P01", "42501", "0A000"]


def _raised_by_django(code: str) -> BaseException:
    with pytest.raises(db.Error) as caught, connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
    return caught.value


def _raised_by_psycopg(code: str) -> BaseException:
    with psycopg.connect(database_url()) as session, pytest.raises(psycopg.Error) as caught:
        session.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
    return caught.value


@pytest.mark.parametrize("raised", [_raised_by_django, _raised_by_psycopg])
@pytest.mark.parametrize("code", [*OUTAGES, *PASSING, *REFUSED, *FINAL])
def test_the_code_decides_not_the_class(raised, code):
    error = raised(code)
    assert sqlstate(error) == code
    assert is_outage(error) == (code in OUTAGES)
    assert may_pass(error) == (code in PASSING)
    assert is_refused_value(error) == (code in REFUSED)
    assert _is_refusal(error) == (code not in OUTAGES)


def test_an_error_without_an_answer_of_the_server_is_an_outage():
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect("postgresql://127.0.0.1:1/none", connect_timeout=2)
    with psycopg.connect(database_url()) as session:
        session.close()
        with pytest.raises(psycopg.OperationalError) as closed:
            session.execute("SELECT 1")
    for error in (refused.value, closed.value, db.InterfaceError("connection already closed")):
        assert (sqlstate(error), is_outage(error), may_pass(error)) == (None, True, False)


def test_a_value_that_psycopg_cannot_send_is_refused_and_no_outage():
    with psycopg.connect(database_url()) as session:
        with pytest.raises(psycopg.Error) as nul:
            session.execute("SELECT %s", ["a\0b"])
        with pytest.raises(psycopg.Error) as no_type:
            session.execute("SELECT %s", [object()])
    assert (is_outage(nul.value), is_refused_value(nul.value)) == (False, True)
    assert (is_outage(no_type.value), is_refused_value(no_type.value)) == (False, False)
