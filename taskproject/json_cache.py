"""Cache in JSON: Django's caches store pickles, and what can write those can run code here."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from psycopg import sql

_log = logging.getLogger(__name__)

_BACKENDS = "django.core.cache.backends"
# Others cannot write to the memory of a process.
_OWN_MEMORY = {f"{_BACKENDS}.locmem.LocMemCache", f"{_BACKENDS}.dummy.DummyCache"}

_GET = "SELECT value FROM {table} WHERE cache_key = %(key)s AND expires > now()"
# NULL seconds: never.
_SET = """
INSERT INTO {table} AS entry (cache_key, value, expires)
VALUES (
    %(key)s, %(value)s, coalesce(now() + make_interval(secs => %(seconds)s), 'infinity')
)
ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires = excluded.expires
"""
_ADD = _SET + "WHERE entry.expires <= now()"
_TOUCH = """
UPDATE {table} SET expires = coalesce(now() + make_interval(secs => %(seconds)s), 'infinity')
WHERE cache_key = %(key)s AND expires > now()
"""
_DELETE = "DELETE FROM {table} WHERE cache_key = %(key)s"
_CLEAR = "DELETE FROM {table}"
# What expires first goes first. Two processes that delete at once do not wait for each other.
_CULL = """
DELETE FROM {table} WHERE cache_key = ANY (ARRAY(
    SELECT cache_key FROM {table} WHERE expires <= now() OR cache_key IN (
        SELECT cache_key FROM {table} ORDER BY expires DESC, cache_key OFFSET %(limit)s
    ) FOR UPDATE SKIP LOCKED
))
"""


def in_json(cache: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return Django's settings for a cache, changed to store JSON.

    Raises ImproperlyConfigured for one that can only store pickles. `name` is the setting's.
    """
    match cache["BACKEND"]:
        case "django.core.cache.backends.db.DatabaseCache":
            return {**cache, "BACKEND": f"{__name__}.{DatabaseCache.__name__}"}
        case "django.core.cache.backends.redis.RedisCache":
            options = {
                **cache.get("OPTIONS", {}),
                "serializer": f"{__name__}.{Serializer.__name__}",
            }
            return {**cache, "OPTIONS": options}
        case backend if backend in _OWN_MEMORY:
            return dict(cache)
    raise ImproperlyConfigured(
        f"{name} names a cache that can only store pickles, which run code when they are read: "
        "use dbcache://tasks_cache or an address such as redis://host:6379/0."
    )


class Serializer:
    """JSON; a value that is not, such as a pickle of an earlier version, is read as None.

    A library may cache objects, as the console's search does: they are computed again each time.
    """

    def dumps(self, value: object) -> str:
        """Return the value as ASCII, or None's form for a value that JSON cannot represent."""
        try:
            return json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            _log.debug("a value is not cached, because JSON cannot represent it: %s", error)
            return json.dumps(None)

    def loads(self, stored: str | bytes) -> Any:
        """Return the value, or None."""
        try:
            return json.loads(stored)
        except (ValueError, RecursionError):
            return None


class DatabaseCache(BaseCache):
    """A cache in a table as `createcachetable` makes it, by the database's clock."""

    def __init__(self, table: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._table = sql.Identifier(table)
        self._serializer = Serializer()

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return the value that is stored under the key, or the default."""
        with connection.cursor() as cursor:
            cursor.execute(self._statement(_GET), {"key": self._key(key, version)})
            row = cursor.fetchone()
        value = self._serializer.loads(row[0]) if row else None
        return default if value is None else value

    def has_key(self, key: Any, version: int | None = None) -> bool:
        """Return whether a value is stored under the key."""
        return self.get(key, version=version) is not None

    def set(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Store a value, and delete what is too old or too much."""
        with transaction.atomic():
            self._execute(_SET, key, version, timeout, value=self._serializer.dumps(value))
            self._execute(_CULL, key, version, limit=self._max_entries)

    def add(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store a value unless there is one; return whether it was stored."""
        stored = self._serializer.dumps(value)
        return self._execute(_ADD, key, version, timeout, value=stored) > 0

    def touch(
        self, key: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Let a value expire at another time; return whether there is one."""
        return self._execute(_TOUCH, key, version, timeout) > 0

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Delete a value; return whether there was one."""
        return self._execute(_DELETE, key, version) > 0

    def clear(self) -> None:
        """Delete all values."""
        with connection.cursor() as cursor:
            cursor.execute(self._statement(_CLEAR))

    def _execute(
        self,
        statement: str,
        key: Any,
        version: int | None,
        timeout: float | None = None,
        **params: str | int,
    ) -> int:
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        all_params = {**params, "key": self._key(key, version), "seconds": seconds}
        with connection.cursor() as cursor:
            cursor.execute(self._statement(statement), all_params)
            return int(cursor.rowcount)

    def _key(self, key: Any, version: int | None) -> str:
        return str(self.make_and_validate_key(key, version=version))

    def _statement(self, statement: str) -> sql.Composed:
        return sql.SQL(statement).format(table=self._table)
