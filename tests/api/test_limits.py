"""Limits over HTTP: create, see, change, pause and delete."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

import tasks
from tasks.lifecycle.ending import completed
from tasks.models import Limit, Scope
from tests.api.described import described, fields, post
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import make_limit

pytestmark = pytest.mark.django_db
PATH = "/api/v1/limits/"


@pytest.fixture
def operator_api(api_for: Callable[[User], APIClient], operator: User) -> APIClient:
    return api_for(operator)


def patch(api: APIClient, path: str, body: Any) -> Any:
    return api.patch(path, body, format="json")


def test_a_limit_is_created_shown_changed_and_deleted(
    operator_api: APIClient, operator: User
) -> None:
    body = {"scope": "queue", "name": "default", "concurrent": 2, "rate": "100/m", "burst": 10}
    response = post(operator_api, PATH, body)
    created = described(response)
    assert response.status_code == 201
    path = created["links"]["self"]
    assert response.headers["Location"] == path
    assert {name: created[name] for name in body} == body
    assert created["applies_at"] is None
    assert described(operator_api.get(path)) == created | {"values": []}
    changed = described(
        patch(operator_api, path, {"paused": True, "paused_reason": "a migration", "rate": None})
    )
    assert (changed["paused"], changed["rate"], changed["burst"]) == (True, None, None)
    assert (changed["paused_by"], changed["paused_reason"]) == (operator.username, "a migration")
    assert described(operator_api.get(PATH))["results"] == [changed]
    assert operator_api.delete(path).status_code == 204
    for answer in (operator_api.get(path), operator_api.delete(path)):
        assert described(answer)["status"] == 404
    assert described(patch(operator_api, path, {"concurrent": 1}))["status"] == 404


def test_an_ordered_limit_is_created_and_its_numbers_stay(operator_api: APIClient) -> None:
    body = {"scope": "key", "name": "test.script", "by": "customer", "ordered": True}
    created = described(post(operator_api, PATH, body))
    assert (created["ordered"], created["concurrent"], created["rate"]) == (True, 1, None)
    path = created["links"]["self"]
    refused = patch(operator_api, path, {"concurrent": 2, "rate": "1/s"})
    assert fields(refused).keys() == {"concurrent", "rate"}
    assert patch(operator_api, path, {"ordered": False}).status_code == 400
    assert described(patch(operator_api, path, {"paused": True}))["ordered"] is True
    second = post(operator_api, PATH, body | {"by": "other"})
    assert fields(second).keys() == {"ordered"}


def test_what_runs_and_waits_is_counted(operator_api: APIClient) -> None:
    limit = make_limit(Scope.KEY, "test.script", path="customer", concurrent=1)
    exception = {"scope": "key", "name": "test.script", "by": "customer", "key": "acme"}
    created = described(post(operator_api, PATH, exception | {"concurrent": 2}))
    assert (created["key"], created["concurrent"]) == ("acme", 2)
    for customer in ("acme", "acme", "acme", "bolt"):
        tasks.submit("test.script", {"do": "return", "customer": customer})
    (held, *_) = claim(make_worker())
    shown = described(operator_api.get(f"{PATH}{limit.pk}"))
    assert (shown["running"], shown["blocked"]) == (3, 1)
    assert shown["values"] == [
        {"key": "acme", "running": 2, "is_full": True},
        {"key": "bolt", "running": 1, "is_full": False},
    ]
    of_acme = described(operator_api.get(created["links"]["self"]))
    assert (of_acme["running"], of_acme["blocked"], of_acme["values"]) == (2, 1, [])
    finish(completed(held, {}))
    assert described(operator_api.get(created["links"]["self"]))["running"] == 1


def test_a_limit_of_owners_shows_their_names(operator_api: APIClient, user: User) -> None:
    general = described(post(operator_api, PATH, {"scope": "owner", "concurrent": 1}))
    exception = described(
        post(operator_api, PATH, {"scope": "owner", "name": user.username, "concurrent": 2})
    )
    assert (general["name"], exception["name"], exception["key"]) == ("", user.username, None)
    tasks.submit("test.script", owner=user)
    claim(make_worker())
    shown = described(operator_api.get(general["links"]["self"]))
    assert shown["values"] == [{"key": user.username, "running": 1, "is_full": False}]


def test_only_operators_see_and_change_limits(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, viewer: User
) -> None:
    limit = make_limit(concurrent=1)
    callers = (api, api_for(user), api_for(viewer))
    for request in (
        lambda caller: caller.get(PATH),
        lambda caller: caller.get(f"{PATH}{limit.pk}"),
        lambda caller: post(caller, PATH, {"scope": "owner"}),
        lambda caller: patch(caller, f"{PATH}{limit.pk}", {"concurrent": 9}),
        lambda caller: caller.delete(f"{PATH}{limit.pk}"),
    ):
        assert [request(caller).status_code for caller in callers] == [401, 403, 403]
    assert Limit.objects.get().concurrent == 1


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, "scope"),
        ({"scope": "room"}, "scope"),
        ({"scope": "queue", "name": "default", "concurrent": 0}, "concurrent"),
        ({"scope": "queue", "name": "default", "concurrent": 10**15}, "concurrent"),
        ({"scope": "queue", "name": "default", "rate": "many"}, "rate"),
        ({"scope": "queue", "name": "default", "rate": "5/m", "burst": 10**15}, "burst"),
        ({"scope": "queue", "name": "default", "paused": "yes"}, "paused"),
        ({"scope": "queue", "name": "default", "colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(operator_api: APIClient, body: Any, wrong: str) -> None:
    assert list(fields(post(operator_api, PATH, body))) == [wrong]
    assert not Limit.objects.exists()


def test_a_limit_exists_once(operator_api: APIClient) -> None:
    body = {"scope": "kind", "name": "test.script", "concurrent": 1}
    assert post(operator_api, PATH, body).status_code == 201
    assert list(fields(post(operator_api, PATH, body))) == ["name"]


def test_an_unknown_limit_is_not_found(operator_api: APIClient) -> None:
    assert described(operator_api.get(f"{PATH}{uuid.uuid4()}"))["status"] == 404
