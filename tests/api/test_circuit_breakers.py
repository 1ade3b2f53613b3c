from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from tasks.models import Breaker
from tests.api.described import described, post

pytestmark = pytest.mark.django_db

RESET = "/health/workers/reset-circuit-breaker"


@pytest.fixture(autouse=True)
def _open_circuit() -> None:
    now = timezone.now()
    Breaker.objects.create(
        name="letters",
        failures=5,
        open_until=now + dt.timedelta(minutes=1),
        last_error="The post office is closed.",
        last_failure_at=now,
    )


def test_the_circuit_breakers_are_shown_with_the_workers(api: APIClient) -> None:
    shown = described(api.get("/health/workers"))["circuit_breakers"]
    assert (shown["letters"]["state"], shown["letters"]["failures"]) == ("open", 5)
    assert shown["letters"]["last_error"] == "The post office is closed."
    assert shown["openrouter"] == {
        "state": "closed", "failures": 0, "retry_at": None, "last_error": "",
        "last_failure_at": None,
    }  # fmt: skip


def test_a_circuit_whose_pause_is_over_is_half_open(api: APIClient) -> None:
    Breaker.objects.update(open_until=timezone.now() - dt.timedelta(seconds=1))
    shown = described(api.get("/health/workers"))["circuit_breakers"]
    assert shown["letters"]["state"] == "half-open"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_reset_closes_every_circuit(api: APIClient, slash: str) -> None:
    response = api.post(f"{RESET}{slash}")
    assert response.status_code == 200
    shown = response.json() if slash else described(response)
    assert shown["reset"] == sorted(shown["circuit_breakers"])
    assert shown["circuit_breakers"]["letters"]["state"] == "closed"


def test_only_operators_reset_the_circuits_of_an_api_that_needs_keys(
    api: APIClient,
    api_for: Callable[[User], APIClient],
    user: User,
    operator: User,
    settings: Any,
) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    assert post(api, RESET).status_code == 401
    assert post(api_for(user), RESET).status_code == 403
    assert Breaker.objects.get(name="letters").open_until
    assert api_for(operator).post(RESET).status_code == 200
    assert Breaker.objects.get(name="letters").open_until is None


def test_a_page_of_another_site_cannot_reset_the_circuits(api: APIClient) -> None:
    assert api.post(RESET, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 401
    assert Breaker.objects.get(name="letters").open_until


def test_one_circuit_cannot_be_chosen_for_the_reset(api_for, operator):
    ops = api_for(operator)
    assert ops.post(f"{RESET}?name=openrouter").status_code == 400
    assert ops.post(RESET, {"name": "openrouter"}, format="json").status_code == 400
    assert ops.post(RESET, {}, format="json").status_code == 200
