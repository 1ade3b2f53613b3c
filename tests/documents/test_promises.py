"""docs/promises.md: every route, test, kind and command that it names exists."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands
from django.urls import Resolver404, resolve

from tasks.kinds import all_kinds
from tests.project.conftest import ROOT

PAGE = (ROOT / "docs" / "promises.md").read_text()
ROUTES = re.findall(r"`(GET|POST|PATCH|DELETE) (/[^` ]*)`(: \*\*not yet)?", PAGE)
UUID = "550e8400-e29b-41d4-a716-446655440000"


def exists(method: str, route: str) -> bool:
    """Return whether a path with placeholders has a view that allows the method."""
    path = re.sub(r"\{\w+_id\}", UUID, route).replace("{name}", "default")
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    # Only views of the API are classes; the pages are functions.
    return not hasattr(view, "cls") or hasattr(view.cls, method.lower())


def test_the_page_names_more_than_forty_routes() -> None:
    assert len(ROUTES) > 40


@pytest.mark.parametrize(("method", "route", "missing"), sorted(set(ROUTES)))
def test_a_route_exists_unless_it_is_marked_as_missing(
    method: str, route: str, missing: str
) -> None:
    assert exists(method, route) is not bool(missing)


def test_every_named_test_file_exists() -> None:
    named = set(re.findall(r"`(\w+/test_\w+\.py)`", PAGE))
    assert len(named) > 40
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []


def test_the_page_names_every_kind_and_no_other() -> None:
    named = set(re.findall(r"`([a-z]+\.[a-z_]+|compute)`", PAGE))
    registered = {name for name in all_kinds() if not name.startswith("test.")}
    assert registered <= named
    groups = {name.split(".")[0] for name in registered}
    assert {name for name in named if name.split(".")[0] in groups} <= registered


def test_every_named_command_exists() -> None:
    named = set(re.findall(r"`manage\.py (\w+)", PAGE))
    assert named <= set(get_commands())
