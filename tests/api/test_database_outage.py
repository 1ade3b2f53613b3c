"""Responses while the database is unreachable, in a view or in middleware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.utils import ConnectionHandler
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


def query_unreachable_database() -> None:
    postgres = {"ENGINE": "django.db.backends.postgresql", "NAME": "x"}
    # Nothing listens on the first port, so the connection is refused at once.
    connections = ConnectionHandler({"default": {**postgres, "HOST": "127.0.0.1", "PORT": "1"}})
    connections["default"].ensure_connection()


class Querying(APIView):
    def get(self, request: Request) -> Response:
        query_unreachable_database()
        return Response()


class Quiet(APIView):
    def get(self, request: Request) -> Response:
        return Response("fine")


def querying_page(request: HttpRequest) -> HttpResponse:
    query_unreachable_database()
    return HttpResponse()


def quiet_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("fine")


class QueryingMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        query_unreachable_database()
        return response


urlpatterns = [
    path("api", Querying.as_view()),
    path("page", querying_page),
    path("quiet-api", Quiet.as_view()),
    path("quiet-page", quiet_page),
]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(params=[True, False], ids=["DEBUG", ""])
def client(request: Any, settings: Any) -> Client:
    settings.DEBUG = request.param
    settings.API_ALLOW_ANONYMOUS = True
    return Client(raise_request_exception=False)


def assert_problem(response: Any) -> None:
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/database-unavailable"


def assert_page(response: Any) -> None:
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert "Not available right now" in response.text
    assert "127.0.0.1" not in response.text


def test_an_api_view_that_lost_the_database_returns_a_503_problem(client: Client) -> None:
    assert_problem(client.get("/api"))


def test_a_page_that_lost_the_database_returns_a_503_page(client: Client) -> None:
    assert_page(client.get("/page"))


def test_middleware_that_lost_the_database_returns_503_as_a_problem_or_a_page(
    client: Client, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.QueryingMiddleware"]
    assert_problem(client.get("/quiet-api"))
    assert_page(client.get("/quiet-page"))


def test_a_request_that_needs_no_database_is_served_without_one(client: Client) -> None:
    assert client.get("/quiet-api").json() == "fine"
    assert client.get("/quiet-page").text == "fine"
