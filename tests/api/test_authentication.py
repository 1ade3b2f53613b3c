"""Authentication: who is admitted, and that a 401 does not show the reason."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import path
from knox.models import AuthToken
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.api.permissions import IsOperator
from tests.routes import filled, patterns


class WhoAmI(APIView):
    def get(self, request: Request) -> Response:
        return Response(request.user.get_username())

    def post(self, request: Request) -> Response:
        return Response(request.data)


class Operate(WhoAmI):
    permission_classes = [IsOperator]


urlpatterns = [path("who", WhoAmI.as_view()), path("operate", Operate.as_view())]
CURL = "application/x-www-form-urlencoded"
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _closed_api(settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = False


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def new_key(user: User, **lifetime: Any) -> str:
    _, secret = AuthToken.objects.create(user, **lifetime)
    return str(secret)


def get(client: Client, key: str, path: str = "/who") -> Any:
    return client.get(path, headers={"authorization": f"Bearer {key}"})


def test_a_key_admits_its_user(client: Client, ada: User) -> None:
    assert get(client, new_key(ada)).json() == "ada"
    assert get(client, new_key(ada, expiry=timedelta(minutes=1))).json() == "ada"


def test_a_key_is_looked_up_in_one_query_that_writes_nothing(
    client: Client, ada: User, django_assert_num_queries: Any
) -> None:
    new_key(ada, expiry=timedelta(days=-1))
    key = new_key(ada)
    with django_assert_num_queries(1):
        get(client, key)
    assert AuthToken.objects.count() == 2


def test_a_key_is_not_stored(ada: User) -> None:
    key = new_key(ada)
    assert key not in str(AuthToken.objects.values())


def test_every_refused_key_gets_the_same_response(client: Client, ada: User) -> None:
    revoked = new_key(ada)
    AuthToken.objects.all().delete()
    expired = new_key(ada, expiry=timedelta(seconds=-1))
    gone = User.objects.create_user("gone", is_active=False)
    refused = [revoked, expired, new_key(gone), "unknown", "", "a b", "\x00", "ÿ", "k" * 4000]
    responses = [get(client, key) for key in refused]
    assert {response.status_code for response in responses} == {401}
    assert {response["WWW-Authenticate"] for response in responses} == {'Bearer realm="api"'}
    [body] = {response.content for response in responses}
    assert b"/problems/not-authenticated" in body


UNREADABLE = [
    "t\xe9", "B\xe9arer x", "Token t\xe9", "Bearer\tx", "Bearer\xa0x", "Bearer,x", "Bearer: x",
    "Bearer=x", '"Bearer x"', "task_0123456789", "Token abc", "Basic eDp5", "Bearer", "Bearer ",
    "Bearer \tx", "Bearer x y", " ", "Bearer unknown",
]  # fmt: skip


def require_refused(response: Any) -> None:
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    assert response.json()["detail"] == (
        'The Authorization header must be "Bearer", a space and a valid API key.'
    )


@pytest.mark.parametrize("header", UNREADABLE)
def test_a_caller_with_an_unreadable_key_is_neither_anonymous_nor_the_user_of_the_session(
    client: Client, ada: User, settings: Any, header: str
) -> None:
    settings.API_ALLOW_ANONYMOUS = True
    require_refused(client.get("/who", headers={"authorization": header}))
    client.force_login(ada)
    require_refused(client.get("/who", headers={"authorization": header}))


@pytest.mark.urls("taskproject.urls")
@pytest.mark.parametrize("header", ["t\xe9", "Basic eDp5"])
def test_no_route_that_needs_a_caller_ignores_an_unreadable_key(
    client: Client, settings: Any, header: str
) -> None:
    settings.API_ALLOW_ANONYMOUS = True
    closed = set()
    for spelling, pattern in patterns():
        view = getattr(pattern.callback, "cls", None)
        if view is None or not view.authentication_classes:
            continue
        closed.add(filled(spelling))
        for method in ("GET", "POST", "DELETE"):
            if hasattr(view, method.lower()):
                headers = {"authorization": header}
                require_refused(client.generic(method, filled(spelling), headers=headers))
    five = {"/v1/tasks", "/process", "/tasks", "/conversations/message", "/api/v1/tasks/"}
    assert closed >= five | {"/api/v1/tasks/summarize/", "/health/workers"}


def test_a_caller_with_a_refused_key_is_not_treated_as_anonymous(
    client: Client, settings: Any
) -> None:
    settings.API_ALLOW_ANONYMOUS = True
    assert get(client, "unknown").status_code == 401


def test_an_anonymous_caller_is_admitted_only_if_the_setting_allows(
    client: Client, settings: Any
) -> None:
    refusal = client.get("/who")
    assert (refusal.status_code, refusal["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    settings.API_ALLOW_ANONYMOUS = True
    assert client.get("/who").json() == ""


@pytest.mark.parametrize(
    "header",
    ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"],
)
def test_on_an_installation_for_this_machine_a_request_through_a_proxy_needs_a_key(
    client: Client, settings: Any, header: str
) -> None:
    settings.API_OPEN_TO_THIS_MACHINE = True
    assert client.get("/who").json() == ""
    assert client.get("/who", headers={header: "127.0.0.1"}).status_code == 401
    # nginx speaks this version to what is behind it, and adds no header by itself.
    assert client.get("/who", SERVER_PROTOCOL="HTTP/1.0").status_code == 401
    # An operator's own word holds for everybody.
    settings.API_ALLOW_ANONYMOUS = True
    assert client.get("/who", headers={header: "127.0.0.1"}).json() == ""


def test_a_foreign_web_page_cannot_write_as_an_anonymous_caller(
    client: Client, settings: Any
) -> None:
    settings.API_ALLOW_ANONYMOUS = True

    def post_from(site: str) -> int:
        headers = {"sec-fetch-site": site}
        return client.post("/who", "{}", "text/plain", headers=headers).status_code

    assert [post_from(site) for site in ("cross-site", "same-site")] == [401, 401]
    assert [post_from(site) for site in ("same-origin", "none")] == [200, 200]


@pytest.mark.parametrize("label", ["application/json", CURL, "multipart/form-data; boundary=x"])
def test_a_session_admits_its_user_and_writes_need_the_csrf_token(ada: User, label: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.get("/who").json() == "ada"

    def write(**headers: str) -> Any:
        return client.generic("POST", "/who", b"[1]", content_type=label, headers=headers)

    refusal = write()
    assert (refusal.status_code, refusal.json()["type"]) == (403, "/problems/forbidden")
    client.cookies["csrftoken"] = token = "t" * 32
    assert write(**{"x-csrftoken": token}).json() == [1]


def test_a_key_needs_no_csrf_token(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    headers = {"authorization": f"bearer {new_key(ada)}"}
    assert client.post("/who", {}, "application/json", headers=headers).json() == {}


def test_only_operators_are_admitted_to_operator_routes(client: Client, ada: User) -> None:
    key = new_key(ada)
    assert client.get("/operate").status_code == 401
    assert get(client, key, "/operate").json()["type"] == "/problems/forbidden"
    permissions = Permission.objects.filter(codename__in=("view_task", "operate_task"))
    ada.user_permissions.set(permissions)
    assert get(client, key, "/operate").status_code == 403
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    assert get(client, key, "/operate").json() == "ada"
    root = User.objects.create_superuser("root")
    assert get(client, new_key(root), "/operate").json() == "root"
