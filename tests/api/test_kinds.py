from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.api.described import described

pytestmark = pytest.mark.django_db


def test_every_kind_is_listed_by_name_without_a_query(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        listed = described(api.get("/api/v1/kinds/"))["kinds"]
    names = [kind["name"] for kind in listed]
    assert names == sorted(names)
    assert {"test.script", "text.analyze"} <= set(names)
    assert api.get("/api/v1/kinds").json() == {"kinds": listed}


def test_a_kind_is_shown_with_its_input_schema_and_limits(api: APIClient) -> None:
    shown = described(api.get("/api/v1/kinds/text.analyze"))
    assert shown["input_schema"]["required"] == ["text"]
    assert shown["limits"] == {"soft_time_limit": 120, "time_limit": 120, "tasks": []}
    assert (shown["queue"], shown["priority"]) == ("default", 0)
    script = described(api.get("/api/v1/kinds/test.script"))
    policy = {"max_retries": 2, "delay": 0.05, "cap": 600.0}
    assert script["retry"] == policy | {"retry_on": [], "never_on": []}
    assert script["description"] == "Do what the input requests."


def test_a_kind_is_shown_with_its_retry_policies_for_exceptions(api: APIClient) -> None:
    rules = described(api.get("/api/v1/kinds/test.rules"))["retry"]
    policy = {"delay": 0.01, "cap": 600.0}
    assert rules["retry_on"] == [
        policy | {"exception": "OSError", "max_retries": 2},
        policy | {"exception": "ConnectionError", "max_retries": 1},
    ]
    assert rules["never_on"] == ["ValueError"]
    by_function = described(api.get("/api/v1/kinds/test.rules_by_function"))["retry"]
    assert by_function["retry_on"] is None


def test_a_kind_is_shown_with_its_declared_limits(api: APIClient) -> None:
    shown = described(api.get("/api/v1/kinds/test.limited"))
    assert shown["limits"]["tasks"] == [
        {"concurrent": 2, "rate": "2000/m", "burst": 50, "key": "customer", "ordered": False}
    ]


def test_an_unknown_kind_is_not_found(api: APIClient) -> None:
    response = api.get("/api/v1/kinds/no.such")
    assert response.status_code == 404
    described(response)
