"""docs/promises.md names what is there, and calls missing what is missing."""

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


def is_there(method: str, route: str) -> bool:
    """Tell whether a path with placeholders leads to a view that knows the method."""
    path = re.sub(r"\{\w+_id\}", UUID, route).replace("{name}", "default")
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    # Only views of the API are classes; the pages are functions.
    return not hasattr(view, "cls") or hasattr(view.cls, method.lower())


def test_the_page_names_routes() -> None:
    assert len(ROUTES) > 40


@pytest.mark.parametrize(("method", "route", "missing"), sorted(set(ROUTES)))
def test_a_route_is_there_unless_it_is_said_to_be_missing(
    method: str, route: str, missing: str
) -> None:
    assert is_there(method, route) is not bool(missing)


def test_every_test_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(\w+/test_\w+\.py)`", PAGE))
    assert len(named) > 40
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []


def test_every_kind_that_is_named_is_there_and_none_is_left_out() -> None:
    named = set(re.findall(r"`([a-z]+\.[a-z_]+|compute)`", PAGE))
    own = {name for name in all_kinds() if not name.startswith("test.")}
    assert own <= named
    assert {
        name for name in named if name.split(".")[0] in {one.split(".")[0] for one in own}
    } <= own


def test_every_command_that_is_named_is_there() -> None:
    named = set(re.findall(r"`manage\.py (\w+)", PAGE))
    assert named <= set(get_commands())
