"""Writes without credentials that a page of another site made a visitor's browser send."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tasks.models import Task

pytestmark = pytest.mark.django_db

BODY = {"kind": "test.script"}
OWN = "http://testserver"


@pytest.fixture(autouse=True)
def _trusted(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["https://app.example", "https://*.friends.example"]


@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        ({}, False),
        ({"Origin": OWN}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": OWN}, False),
        ({"Origin": "https://app.example"}, False),
        ({"Origin": "https://a.friends.example", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": "https://evil.test"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": ""}, True),
        ({"Origin": "http://[x"}, True),
        ({"Origin": "https://testserver"}, True),
        ({"Origin": "http://testserver:8001"}, True),
        ({"Origin": "http://testserver.evil.test"}, True),
        ({"Origin": "http://app.example"}, True),
        ({"Origin": "https://evil.test", "Sec-Fetch-Site": "same-site"}, True),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/tasks/", "/v1/tasks", "/api/v1/tasks/requeue-orphaned"])
def test_a_write_from_a_foreign_page_is_refused(api: APIClient, path, headers, is_foreign):
    bodies = {"/v1/tasks": {"text": "to be"}, "/api/v1/tasks/": BODY}
    body = bodies.get(path, {})
    response = api.post(path, body, format="json", headers=headers)
    assert (response.status_code == 401) == is_foreign, response.content
    assert not is_foreign or not Task.objects.exists()
    if is_foreign:
        origin = headers.get("Origin", "another site")
        assert response.json()["detail"] == (
            f"A page of {origin!r} needs an API key for this: it is neither of this site nor in"
            " CSRF_TRUSTED_ORIGINS."
        )
        assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert is_foreign or response.status_code in (200, 202)


def test_a_page_may_read_and_a_caller_with_a_key_may_write(api, api_for, user):
    foreign = {"Origin": "https://evil.test"}
    assert api.get("/api/v1/tasks/", headers=foreign).status_code == 200
    response = api_for(user).post("/api/v1/tasks/", BODY, format="json", headers=foreign)
    assert response.status_code == 202
