"""The cache stores JSON; a pickle is never read, wherever it stands."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.db import DatabaseCache as PicklingCache
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from taskproject.cache_url import cache_from_url
from taskproject.environment import Environment
from taskproject.json_cache import DatabaseCache, Serializer, in_json

TABLE = "tasks_cache"


class Harmful:
    """An object whose pickle creates a file when it is read."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def small(**options: Any) -> DatabaseCache:
    return DatabaseCache(TABLE, {"OPTIONS": options})


@pytest.mark.django_db
@pytest.mark.parametrize("value", [{"text": "a\0b \ud800 ü", "n": 1.5, "all": [True, None]}, 0, ""])
def test_a_value_is_returned_as_it_was_stored(value: object) -> None:
    assert isinstance(caches["default"], DatabaseCache)
    cache.set("key", value)
    assert cache.get("key") == value
    assert cache.has_key("key")
    assert cache.get("another", "default") == "default"


@pytest.mark.django_db
def test_a_value_is_replaced_touched_and_deleted() -> None:
    cache.set("key", 1)
    cache.set("key", 2, timeout=None)
    assert (cache.get("key"), cache.add("key", 3), cache.add("new", 4)) == (2, False, True)
    assert (cache.touch("key", 60), cache.touch("missing")) == (True, False)
    assert (cache.delete("key"), cache.delete("key")) == (True, False)
    assert cache.get_many(["key", "new"]) == {"new": 4}
    cache.clear()
    assert cache.get("new") is None


@pytest.mark.django_db
def test_a_value_expires_by_the_databases_clock_and_is_then_deleted() -> None:
    cache.set("old", 1, timeout=-1)
    assert (cache.get("old"), cache.touch("old"), cache.add("old", 2)) == (None, False, True)
    cache.set("expired", 1, timeout=-1)
    cache.set("new", 1)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT cache_key FROM {TABLE} ORDER BY 1")
        assert cursor.fetchall() == [(":1:new",), (":1:old",)]


@pytest.mark.django_db
def test_of_too_many_values_those_that_expire_first_are_deleted() -> None:
    limited = small(MAX_ENTRIES=2)
    for number, timeout in enumerate([300, 100, 200, 400]):
        limited.set(str(number), number, timeout=timeout)
    assert limited.get_many("0123") == {"0": 0, "3": 3}


@pytest.mark.django_db
def test_a_pickle_of_an_earlier_version_is_absent_and_not_executed(tmp_path: Path) -> None:
    harm = Harmful(tmp_path / "executed")
    PicklingCache(TABLE, {}).set("key", harm)
    assert cache.get("key", "absent") == "absent"
    assert Serializer().loads(pickle.dumps(harm)) is None
    assert not harm.file.exists()
    cache.set("key", "JSON")
    assert cache.get("key") == "JSON"


@pytest.mark.parametrize("stored", [b"\x80", b"{", "[" * 100_000, b"\xff\xfe", ""])
def test_what_is_not_json_is_read_as_absent(stored: str | bytes) -> None:
    assert Serializer().loads(stored) is None


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [Harmful(Path("x")), [Harmful(Path("x"))], {(1, 2): 1}, b"x", dt.date(2026, 1, 1), CIRCULAR],
)
def test_a_value_that_is_not_json_replaces_the_earlier_one_and_is_absent(value: object) -> None:
    cache.set("key", "earlier")
    cache.set("key", value)
    assert (cache.get("key", "absent"), cache.has_key("key")) == ("absent", False)
    cache.set_many({"one": value, "two": 2})
    assert cache.get_many(["one", "two"]) == {"two": 2}
    assert cache.get_or_set("other", value) is value
    assert Serializer().dumps(value) == "null"
    assert Serializer().loads("null") is None


@pytest.mark.parametrize(
    "url", ["filecache:///var/cache", "memcache://127.0.0.1:1", "pymemcache://127.0.0.1:1"]
)
def test_a_cache_that_can_only_store_pickles_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^A_CACHE names a cache that can only store"):
        cache_from_url(Environment({"A_CACHE": url}), "A_CACHE", "dbcache://tasks_cache")


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey"])
def test_redis_stores_json_whatever_its_address_says(scheme: str) -> None:
    url = f"{scheme}://user:secret@host:6379/0?serializer=pickle&db=5"
    settings = in_json(environ.Env.cache_url_config(url), "A_CACHE")
    assert settings["OPTIONS"] == {"serializer": "taskproject.json_cache.Serializer", "db": 5}


@pytest.mark.parametrize("scheme", ["locmemcache", "dummycache"])
def test_a_cache_in_the_memory_of_one_process_is_left(scheme: str) -> None:
    settings = environ.Env.cache_url_config(f"{scheme}://")
    assert in_json(settings, "A_CACHE") == settings
