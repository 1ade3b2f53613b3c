"""Headers of every answer: nothing private may be stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from tasks.models import Status
from tests.factories import make_task

pytestmark = pytest.mark.django_db

ID = "01a200d2-1dab-7673-843c-a7a7b68757af"


def paths() -> list[str]:
    """Return an address of every route of the API, the pages and the console."""
    found = []
    for included in get_resolver().url_patterns:
        if isinstance(included, URLResolver) and included.app_name in ("api", "analysis"):
            routes = [p for p in included.url_patterns if isinstance(p, URLPattern)]
            found += [f"/{route.pattern}" for route in routes]
    return [*found, "/", "/ui/tasks/", "/ui/login/", "/ui/nothing/", "/admin/", "/admin/login/"]


@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
def test_no_answer_may_be_stored_by_a_shared_cache(api: APIClient, method: str) -> None:
    api.raise_request_exception = False
    for path in paths():
        address = path.replace("<anycase_uuid:task_id>", ID).replace("<str:name>", "a")
        response = getattr(api, method)(address)
        stored = response["Cache-Control"]
        if path.startswith("/api/schema") and method == "get":
            assert stored == "public, no-cache"
        else:
            assert "no-store" in stored, (path, response.status_code)
        assert response["Permissions-Policy"].startswith("camera=()")


def test_a_task_may_be_stored_by_its_caller_and_is_asked_for_again(api: APIClient) -> None:
    task = make_task(Status.COMPLETED)
    response = api.get(f"/api/v1/tasks/{task.pk}")
    assert response["Cache-Control"] == "private, no-cache"
    headers = {"If-None-Match": response["ETag"]}
    unchanged = api.get(f"/api/v1/tasks/{task.pk}", headers=headers)
    assert (unchanged.status_code, unchanged["Cache-Control"]) == (304, "private, no-cache")


@pytest.mark.parametrize(
    ("address", "options", "status"),
    [
        ("/no/such/page", {}, 404),
        ("/api/no/such/route", {}, 404),
        ("/api/v1/tasks/?status=x", {}, 400),
        ("/api/v1/tasks/", {"HTTP_AUTHORIZATION": "Bearer x"}, 401),
        ("/health", {}, 200),
        ("/health/ready", {}, 200),
        ("/health/live", {}, 200),
        ("/ui/tasks", {}, 302),
        ("/api/v1/tasks/", {"HTTP_HOST": "evil.test"}, 400),
        ("/", {"HTTP_HOST": "evil.test"}, 400),
    ],
)
def test_refusals_redirects_and_health_are_not_stored(
    address: str, options: dict[str, str], status: int
) -> None:
    response: Any = Client().get(address, **options)  # type: ignore[arg-type]
    assert (response.status_code, response["Cache-Control"]) == (status, "private, no-store")


def test_an_error_of_the_server_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tasks.stats.queues_status", fail)
    client = Client(raise_request_exception=False)
    response = client.get("/api/v1/queues/status")
    assert (response.status_code, response["Cache-Control"]) == (500, "private, no-store")


def test_static_files_keep_their_own_header() -> None:
    response = Client().get("/static/tasks/pages.css")
    response.close()
    assert response.status_code == 200
    assert "max-age" in response["Cache-Control"]
    assert "private" not in response["Cache-Control"]
