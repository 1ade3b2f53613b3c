"""CACHE_URL: the cache of the language models' answers."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from taskproject.environment import Environment
from taskproject.json_cache import in_json

# Django takes its own default for what is not a number.
_NUMBERS = {"TIMEOUT", "MAX_ENTRIES", "CULL_FREQUENCY"}
_OF_THE_TABLE = {"BACKEND", "LOCATION", "KEY_PREFIX", "VERSION", "TIMEOUT", "MAX_ENTRIES"}


def cache_from_url(env: Environment, name: str, default: str) -> dict[str, Any]:
    """Return Django's settings for the cache that a URL names."""
    raw = env.given(name, "cache_from_url")[0].strip() or default
    try:
        cache = dict(environ.Env.cache_url_config(raw))
    except (ImproperlyConfigured, ValueError, KeyError):
        cache = {}
    is_table = raw.startswith("dbcache:")
    if not cache or (is_table and not re.match(r"dbcache://[A-Za-z_]\w*(\?|$)", raw)):
        # The URL may hold a password and stays out of the sentence.
        raise ImproperlyConfigured(
            f"{name} is not a supported cache: use {default} or an address such as "
            "redis://host:6379/0."
        )
    if cache["BACKEND"].endswith(".RedisCache") and not find_spec("redis"):
        raise ImproperlyConfigured(f"{name} needs the package redis: run pip install redis.")
    _check_options({**cache, **cache.get("OPTIONS", {})}, name, is_table=is_table)
    return in_json(cache, name)


def _check_options(options: dict[str, Any], name: str, *, is_table: bool) -> None:
    for key, value in options.items():
        if is_table and key not in {*_OF_THE_TABLE, "OPTIONS"}:
            raise ImproperlyConfigured(f"{name} has a parameter {key.lower()} without effect.")
        if key.upper() in _NUMBERS and not isinstance(value, int):
            raise ImproperlyConfigured(f"{key.lower()} in {name} must be a whole number.")
