"""What callers see while the database is away, in a view or long before one."""

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


def ask_a_database_that_is_away() -> None:
    postgres = {"ENGINE": "django.db.backends.postgresql", "NAME": "x"}
    # Nothing listens on the first port, so the connection is refused at once.
    away = ConnectionHandler({"default": {**postgres, "HOST": "127.0.0.1", "PORT": "1"}})
    away["default"].ensure_connection()


class Asking(APIView):
    def get(self, request: Request) -> Response:
        ask_a_database_that_is_away()
        return Response()


class Quiet(APIView):
    def get(self, request: Request) -> Response:
        return Response("fine")


def asking_page(request: HttpRequest) -> HttpResponse:
    ask_a_database_that_is_away()
    return HttpResponse()


def quiet_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("fine")


class AskingMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        ask_a_database_that_is_away()
        return response


urlpatterns = [
    path("api", Asking.as_view()),
    path("page", asking_page),
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


def test_an_api_view_that_lost_the_database_says_503(client: Client) -> None:
    assert_problem(client.get("/api"))


def test_a_page_that_lost_the_database_says_503(client: Client) -> None:
    assert_page(client.get("/page"))


def test_a_middleware_that_lost_the_database_says_503_to_each_in_his_language(
    client: Client, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.AskingMiddleware"]
    assert_problem(client.get("/quiet-api"))
    assert_page(client.get("/quiet-page"))


def test_a_request_that_asked_nothing_of_the_database_is_answered(client: Client) -> None:
    assert client.get("/quiet-api").json() == "fine"
    assert client.get("/quiet-page").text == "fine"
