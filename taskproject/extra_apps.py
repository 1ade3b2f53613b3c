"""EXTRA_APPS: the apps of the user's own, looked for before Django loads them."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured

from taskproject.environment import Environment, words


def apps(env: Environment, name: str, *, installed: Collection[str]) -> list[str]:
    """Read a list of Django apps, each a module or an AppConfig, that are not `installed` yet."""
    entries = words(env, name, "", type="apps")
    for position, entry in enumerate(entries):
        if entry in installed or entry in entries[:position]:
            raise ImproperlyConfigured(f"{name}: the app {entry!r} is installed already.")
        if not _is_module(entry) and not _is_class(entry):
            raise ImproperlyConfigured(
                f"{name}: there is no app {entry!r}; the directory that it is in must be that of "
                "manage.py, or one in PYTHONPATH."
            )
        if not _has_kinds(entry):
            raise ImproperlyConfigured(f"{name}: the app {entry!r} has no module kinds.")
    return entries


def _is_module(name: str) -> bool:
    if not all(part.isidentifier() for part in name.split(".")):
        return False
    try:
        return find_spec(name) is not None
    except (ModuleNotFoundError, ValueError) as error:
        # A package above it may also lack a module that it imports itself.
        missing = getattr(error, "name", None) or name
        if not f"{name}.".startswith(f"{missing}."):
            raise
        return False


def _has_kinds(entry: str) -> bool:
    package = entry
    if not _is_module(entry):
        module, _, name = entry.rpartition(".")
        package = getattr(getattr(import_module(module), name), "name", "")
    # Without an import of the app: Django is not set up yet.
    spec = find_spec(package) if package and _is_module(package) else None
    places = spec.submodule_search_locations if spec else None
    return places is not None and PathFinder.find_spec(f"{package}.kinds", places) is not None


def _is_class(entry: str) -> bool:
    module, _, name = entry.rpartition(".")
    return (
        bool(module)
        and _is_module(module)
        and isinstance(getattr(import_module(module), name, None), type)
    )
