"""Problem documents: the response to each error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django import db
from django.contrib import admin
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.test import Client
from django.urls import include, path
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.errors import FieldError, InvalidInput, UnknownKind, WrongStatus
from tasks.models import Status, Task


class Step(serializers.Serializer[Any]):
    name = serializers.CharField()
    sizes = serializers.ListField(child=serializers.IntegerField())


class Plan(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=3)
    steps = Step(many=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        raise serializers.ValidationError("The plan as a whole makes no sense.")


def validate(data: dict[str, Any]) -> Exception:
    with pytest.raises(exceptions.ValidationError) as refusal:
        Plan(data=data).is_valid(raise_exception=True)
    return refusal.value


STEP = {"name": "a", "sizes": [1]}
ERRORS: dict[str, Callable[[], BaseException]] = {
    "unknown-kind": lambda: UnknownKind("no.such"),
    "invalid-input": lambda: InvalidInput([FieldError("input.text", "is missing")]),
    "wrong-status": lambda: WrongStatus(Status.COMPLETED, "cancelled"),
    "nested-fields": lambda: validate({"title": "four", "steps": [STEP, {"sizes": [1, "b"]}]}),
    "whole": lambda: validate({"title": "abc", "steps": [STEP]}),
    "long-kind": lambda: UnknownKind("k" * 1_000_000),
    "many-fields": lambda: exceptions.ValidationError({f"f{n}": ["bad"] for n in range(5000)}),
    "http404": lambda: Http404("No Task matches the given query."),
    "not-found": lambda: exceptions.NotFound("There is no such task."),
    "denied": PermissionDenied,
    "throttled": lambda: exceptions.Throttled(wait=1.2),
    "conflict": lambda: Teapot("I am a teapot."),
    "too-large": RequestDataTooBig,
    "suspicious": SuspiciousOperation,
    "cut-off": UnreadablePostError,
    "data-error": lambda: db.DataError("a secret"),
    "recursion": RecursionError,
    "operational": lambda: db.OperationalError("server closed the connection"),
    "interface": lambda: db.InterfaceError("connection already closed"),
    "psycopg": psycopg.errors.AdminShutdown,
    "bug": lambda: KeyError("a secret"),
    "internal": lambda: db.InternalError("current transaction is aborted"),
}


class Teapot(exceptions.APIException):
    status_code = 418


class Raise(APIView):
    def get(self, request: Request, name: str) -> Response:
        raise ERRORS[name]()


class StoreNul(APIView):
    def get(self, request: Request) -> Response:
        return Response(Task.objects.filter(kind="a\0b").exists())


class WriteToReadOnlyServer(APIView):
    def get(self, request: Request) -> Response:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
            cursor.execute("CREATE TABLE written (id int)")
        return Response()


def page(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


# The error pages link to the pages and the console.
urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("tasks.pages.urls")),
    path("raise/<name>", Raise.as_view()),
    path("nul", StoreNul.as_view()),
    path("read-only", WriteToReadOnlyServer.as_view()),
    path("page", page),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def _open_api(settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = True


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def problem(response: Any, status: int) -> dict[str, Any]:
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(document)
    return document


def test_a_problem_names_its_type_and_the_path_of_the_request(client: Client) -> None:
    assert problem(client.get("/raise/wrong-status?key=secret"), 409) == {
        "type": "/problems/wrong-status",
        "title": "The task's status does not allow this",
        "status": 409,
        "detail": "A task that is COMPLETED cannot be cancelled.",
        "instance": "/raise/wrong-status",
    }


@pytest.mark.parametrize(
    ("name", "status", "problem_type"),
    [
        ("unknown-kind", 400, "unknown-kind"),
        ("http404", 404, "not-found"),
        ("denied", 403, "forbidden"),
        ("too-large", 413, "body-too-large"),
        ("suspicious", 400, "bad-request"),
        ("cut-off", 400, "bad-request"),
        ("data-error", 400, "bad-request"),
        ("recursion", 400, "bad-request"),
        ("operational", 503, "database-unavailable"),
        ("interface", 503, "database-unavailable"),
        ("psycopg", 503, "database-unavailable"),
        ("bug", 500, "internal-error"),
        ("internal", 500, "internal-error"),
    ],
)
def test_every_error_has_its_status_and_its_type(
    client: Client, name: str, status: int, problem_type: str
) -> None:
    document = problem(client.get(f"/raise/{name}"), status)
    assert document["type"] == f"/problems/{problem_type}"
    assert "secret" not in str(document)


def test_a_status_without_a_type_of_its_own_has_the_type_about_blank(client: Client) -> None:
    document = problem(client.get("/raise/conflict"), 418)
    assert (document["type"], document["detail"]) == ("about:blank", "I am a teapot.")


def test_the_detail_of_a_404_comes_from_the_view_but_not_from_a_query(client: Client) -> None:
    responses = client.get("/raise/not-found"), client.get("/raise/http404")
    assert [problem(response, 404)["detail"] for response in responses] == [
        "There is no such task.",
        "Not found.",
    ]


def test_an_error_raised_by_a_verb_names_the_invalid_fields(client: Client) -> None:
    assert problem(client.get("/raise/invalid-input"), 400)["errors"] == [
        {"field": "input.text", "message": "is missing"}
    ]
    assert problem(client.get("/raise/unknown-kind"), 400)["errors"] == [
        {"field": "kind", "message": "There is no kind named 'no.such'."}
    ]


def test_errors_of_nested_serializers_are_flattened_to_dotted_paths(client: Client) -> None:
    assert problem(client.get("/raise/nested-fields"), 400)["errors"] == [
        {"field": "title", "message": "Ensure this field has no more than 3 characters."},
        {"field": "steps.1.name", "message": "This field is required."},
        {"field": "steps.1.sizes.1", "message": "A valid integer is required."},
    ]


def test_the_text_of_a_single_error_is_also_the_detail(client: Client) -> None:
    sentence = "The plan as a whole makes no sense."
    document = problem(client.get("/raise/whole"), 400)
    assert document["errors"] == [{"field": "", "message": sentence}]
    assert document["detail"] == sentence


def test_the_errors_of_one_response_are_limited(client: Client) -> None:
    assert len(problem(client.get("/raise/many-fields"), 400)["errors"]) == 20


def test_a_response_does_not_echo_megabytes(client: Client) -> None:
    assert len(client.get("/raise/long-kind").content) < 2000


def test_the_instance_is_a_uri_reference(client: Client) -> None:
    assert problem(client.get("/nowhere/ü%20"), 404)["instance"] == "/nowhere/%C3%BC%20"


def test_a_throttled_caller_gets_a_retry_after(client: Client) -> None:
    response = client.get("/raise/throttled")
    assert problem(response, 429)
    assert response["Retry-After"] == "2"


def test_a_method_that_is_not_allowed_gets_the_allowed_ones(client: Client) -> None:
    response = client.delete("/raise/bug")
    assert problem(response, 405)["type"] == "/problems/method-not-allowed"
    assert "GET" in response["Allow"]


def test_only_json_is_acceptable(client: Client) -> None:
    response = client.get("/raise/bug", headers={"accept": "application/xml"})
    assert problem(response, 406)["type"] == "/problems/not-acceptable"


@pytest.mark.django_db
def test_a_nul_in_a_query_is_a_bad_request(client: Client) -> None:
    assert (
        problem(client.get("/nul"), 400)["detail"]
        == "A value cannot be stored: it is out of range or contains a NUL character."
    )


@pytest.mark.django_db
def test_a_write_to_a_read_only_database_is_a_503(client: Client) -> None:
    response = client.get("/read-only")
    assert problem(response, 503)["type"] == "/problems/database-unavailable"
    assert response["Retry-After"] == "5"


@pytest.mark.parametrize("debug", [True, False])
def test_an_unknown_path_returns_a_problem_to_programs_and_a_page_to_browsers(
    client: Client, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    assert problem(client.get("/nowhere"), 404)["type"] == "/problems/not-found"
    assert problem(client.get("/api/nowhere", headers={"accept": "text/html"}), 404)
    response = client.get("/nowhere", headers={"accept": "text/html,*/*;q=0.8"})
    assert (response.status_code, response["Content-Type"][:9]) == (404, "text/html")


@pytest.mark.parametrize("debug", [True, False])
def test_a_bug_returns_a_problem_without_details(
    client: Client, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    assert problem(client.get("/raise/bug"), 500)["detail"] == "The server failed."


def test_an_unknown_host_name_is_a_bad_request(client: Client) -> None:
    response = client.get("/raise/bug", headers={"host": "elsewhere.example"})
    assert problem(response, 400)["type"] == "/problems/bad-request"


def test_an_error_of_a_page_is_shown_as_a_page(client: Client) -> None:
    response = client.get("/page")
    assert (response.status_code, response["Content-Type"][:9]) == (403, "text/html")
