"""DATABASE_URL: libpq's forms are understood, and no part of a password gets into a message."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.utils import ConnectionHandler

from taskproject.database_url import database_from_url
from taskproject.environment import Environment

INVALID = (
    "DATABASE_URL is not of the form postgres://user:password@host:5432/database, where each of "
    "the characters @ / ? # % and space in a user or password is percent-encoded (@ is %40)."
)


def parsed(url: str) -> dict[str, Any]:
    """Return the settings that are not empty; raise ImproperlyConfigured."""
    settings = database_from_url(Environment({"DATABASE_URL": url}), "DATABASE_URL")
    return {name: value for name, value in settings.items() if value}


def refusal_of(url: str) -> str:
    """Return the sentence with which a URL is refused."""
    with pytest.raises(ImproperlyConfigured) as refused:
        parsed(url)
    # A traceback, were there one, would not show libpq's message.
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return str(refused.value)


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("postgres://h/d", {"HOST": "h", "NAME": "d"}),
        (
            "postgresql://u:p@h.example:6543/d",
            {"USER": "u", "PASSWORD": "p", "HOST": "h.example", "PORT": "6543", "NAME": "d"},
        ),
        (
            "postgresql://user@%2Fvar%2Frun%2Fpostgresql/db",
            {"USER": "user", "HOST": "/var/run/postgresql", "NAME": "db"},
        ),
        ("postgresql:///db?host=/dir&port=5", {"HOST": "/dir", "PORT": "5", "NAME": "db"}),
        ("postgresql:///db?host=%40abstract", {"HOST": "@abstract", "NAME": "db"}),
        ("postgres://u@[2001:db8::1]:54/d", {"USER": "u", "HOST": "2001:db8::1", "PORT": "54",
                                             "NAME": "d"}),
        (
            "postgres://u:p@h1:1,h2:2,h3/d?target_session_attrs=read-write",
            {"USER": "u", "PASSWORD": "p", "HOST": "h1,h2,h3", "PORT": "1,2,", "NAME": "d",
             "OPTIONS": {"target_session_attrs": "read-write"}},
        ),
        (
            "postgres://me%40tenant:p%40ss%3Aw%2Fo%23r%3Fd%25%26%22x%20%C3%BC$+'@h/d%20b",
            {"USER": "me@tenant", "PASSWORD": "p@ss:w/o#r?d%&\"x ü$+'", "HOST": "h", "NAME": "d b"},
        ),
        ("postgres://u:x:y@h/d", {"USER": "u", "PASSWORD": "x:y", "HOST": "h", "NAME": "d"}),
        ("postgres://h?dbname=d&user=u", {"HOST": "h", "NAME": "d", "USER": "u"}),
        (
            "postgres://h/d?sslmode=verify-full&sslrootcert=/a/b&connect_timeout=7&ssl=true",
            {"HOST": "h", "NAME": "d",
             "OPTIONS": {"sslmode": "require", "sslrootcert": "/a/b", "connect_timeout": 7}},
        ),
        (
            "postgres://h/d?options=-c%20search_path%3Dq+r&application_name=web",
            {"HOST": "h", "NAME": "d",
             "OPTIONS": {"options": "-c search_path=q+r", "application_name": "web"}},
        ),
        ("postgres://h/d?DISABLE_SERVER_SIDE_CURSORS=true",
         {"HOST": "h", "NAME": "d", "DISABLE_SERVER_SIDE_CURSORS": True}),
        ("postgres://h/d?a" "pplication_name=x&disable_server_side_cursors=False",
         {"HOST": "h", "NAME": "d", "OPTIONS": {"application_name": "x"}}),
    ],
)  # fmt: skip
def test_a_form_of_libpq_is_understood(url: str, settings: dict[str, Any]) -> None:
    expected = {"OPTIONS": {}, **settings}
    assert parsed(url) == {name: value for name, value in expected.items() if value}


@pytest.mark.parametrize(
    "url",
    [
        "$X", "foo", "mysql://u:hunter2@h/d", "postgres:/h/d", "sqlite:///d", "host=h dbname=d",
        "postgres://", "postgres://h", "postgres:///", "postgres://u:hunter2@h", "POSTGRES://h/d",
    ],
)  # fmt: skip
def test_another_form_is_refused(url: str) -> None:
    assert refusal_of(url) == INVALID


@pytest.mark.parametrize(
    "character", [*"@/?# \t\n", "%", "%zz", "%00", "%ff", "%c3", "@@", "/@", "?@", "#@"]
)
@pytest.mark.parametrize(
    "template",
    [
        "postgres://u:hun{}ter2@h/d", "postgres://u:{}hunter2@h:5432/d",
        "postgres://u:12{}x34@h/d", "postgres://u:hunter2{}@h/d", "postgres://u:1{}=2@h/d",
        "postgres://u:hun{}ter2@h/d?sslmode=require", "postgres://u@t:hun{}ter2@h/d?a=b",
    ],
)  # fmt: skip
def test_an_unescaped_character_in_a_password_shows_no_piece_of_it(
    template: str, character: str
) -> None:
    assert refusal_of(template.format(character)) == INVALID


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:p@ss@h/d", "postgres://u:p@ss/w@h/d", "postgres://u:p/ss@h/d",
        "postgres://u:1/ss@h/d", "postgres://u:1?ss@h/d", "postgres://u:1#ss@h/d",
        "postgres://u:p@ss?w@h/d", "postgres://u:p@h/d?application_name=a@b", "postgres://u:p@h:x/d",
        "postgres://u:p@h:0/d", "postgres://u:p@h:65536/d", "postgres://u:p@h:1:2/d",
        "postgres://u:p@h,i:x/d", "postgres://u:p@h ss/d", "postgres://u:p@[::1/d",
        "postgres://u:p@hö/d", "postgres:////dir/d", "postgres://u:p@h/d/e", "postgres://h/d?x y=1",
        "postgres://h/d?sslmode", "postgres://h/d?=1",
        "postgres://u%ff:p@h/d", "postgres://u:p@h%ff/d", "postgres://u:p@h/d%ff",
        "postgres://h/d?application_name=%ff", "postgres://h/d?%ff=1",
    ],
)  # fmt: skip
def test_a_url_that_can_be_read_in_two_ways_is_refused(url: str) -> None:
    assert refusal_of(url) == INVALID


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("CONN_MAX_AGE=5", "DATABASE_URL has a parameter CONN_MAX_AGE that is neither"),
        ("pool=true", "DATABASE_URL has a parameter pool that is neither"),
        ("sslmod=require", "DATABASE_URL has a parameter sslmod that is neither"),
        ("sslmode=yes", "sslmode in DATABASE_URL must be one of disable, allow, prefer,"),
        ("target_session_attrs=x", "target_session_attrs in DATABASE_URL must be one of any,"),
        ("connect_timeout=soon", "connect_timeout in DATABASE_URL must be a whole number."),
        ("keepalives_idle=", "keepalives_idle in DATABASE_URL must be a whole number."),
        (
            "DISABLE_SERVER_SIDE_CURSORS=ture",
            "DISABLE_SERVER_SIDE_CURSORS in DATABASE_URL='ture' must be true or false.",
        ),
        (
            "DISABLE_SERVER_SIDE_CURSORS=true&disable_server_side_cursors=true",
            "DATABASE_URL has the parameter DISABLE_SERVER_SIDE_CURSORS more than once.",
        ),
        (
            "sslmode=require&sslmode=disable",
            "DATABASE_URL has the parameter sslmode more than once.",
        ),
        ("user=a&%75ser=a", "DATABASE_URL has the parameter user more than once."),
        ("DISABLE_SERVER_SIDE_CURSORS=", "DISABLE_SERVER_SIDE_CURSORS in DATABASE_URL=''"),
    ],
)
def test_an_invalid_parameter_is_refused_by_its_name(parameter: str, sentence: str) -> None:
    assert refusal_of(f"postgres://u:hunter2@h/d?{parameter}").startswith(sentence)


@pytest.mark.django_db
def test_django_connects_by_the_documented_form_of_a_socket() -> None:
    known = connection.settings_dict
    directory = known["HOST"].replace("/", "%2F")
    url = f"postgresql://{known['USER']}@{directory}:{known['PORT']}/{known['NAME']}"
    settings = {**parsed(f"{url}?application_name=by%20url"), "ENGINE": "tasks.postgres"}
    by_url: Any = ConnectionHandler({"default": settings})["default"]
    with psycopg.connect(**by_url.get_connection_params()) as database:
        row = database.execute("SELECT current_database(), current_setting('application_name')")
        assert row.fetchone() == (known["NAME"], "by url")
