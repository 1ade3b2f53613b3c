"""Addresses of the console: final slashes, and parameters that the database cannot take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import URLResolver, reverse

from tasks.models import Status
from tests.factories import make_task

# The database refuses a value only when it is asked, and then ends the transaction.
pytestmark = pytest.mark.django_db(transaction=True)

TASKS = "/admin/tasks/task/"
HUGE = "9" * 25


@pytest.fixture
def browser(console: Any) -> Client:
    """Return a superuser's browser that shows errors as their pages."""
    client: Client = console(User.objects.create_superuser("root", password="root"))
    client.raise_request_exception = False
    return client


@pytest.fixture
def viewer_with_all(viewer: User, console: Any) -> Client:
    """Return the browser of a viewer who may read every list, keys aside."""
    views = Permission.objects.filter(codename__startswith="view_")
    viewer.user_permissions.add(*views)
    client: Client = console(viewer)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(
    "address",
    [
        *(f"{TASKS}?{name}=%00" for name in ("kind", "queue", "owner", "error", "status__exact")),
        f"{TASKS}?q=%00",
        "/admin/auth/user/?q=%00",
        "/admin/tasks/queue/%00/history/",
        "/admin/knox/authtoken/%00/delete/",
        f"{TASKS}?created_at__year={HUGE}",
        f"{TASKS}?input__x__regex=(",
        f"{TASKS}?owner_id={HUGE}",
        f"/admin/auth/user/?date_joined__year={HUGE}",
    ],
)
def test_a_parameter_that_the_database_cannot_take_is_a_bad_request(browser, address):
    response = browser.get(address)
    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{TASKS}?worker_id={HUGE}", 200),
        (f"{TASKS}?owner=no-such-user", 200),
        ("/admin/auth/user/?groups__id__exact=1", 200),
        ("/admin/auth/user/?all=", 200),
        (f"{TASKS}?o=", 200),
        (f"{TASKS}?o=1.-2&_facets=True&p=1&status__exact=FAILED", 200),
        ("/admin/auth/user/?is_staff__exact=1&is_active__exact=0&o=-1.2&p=1&e=1", 200),
        ("/admin/admin/logentry/?action_flag__exact=2", 200),
        ("/admin/r/1/1/", 404),
        ("/ui/kinds/%00/", 404),
    ],
)
def test_an_address_of_the_console_itself_is_answered(browser, address, status):
    assert browser.get(address).status_code == status


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("batch=x", "batch"),
        (f"batch={HUGE}", "batch"),
        ("lane=no-such-lane", "lane"),
        ("created=1y", "created"),
        ("worker_id=x", "worker_id"),
        (f"p={HUGE}", "p"),
        ("kind=%ED%A0%80", "kind"),
        ("kind=", "kind"),
        ("owner=%20", "owner"),
        ("error=%09", "error"),
        ("q=%20", "q"),
        ("kind=a&kind=b", "kind"),
        ("unknown=1", "unknown"),
        ("statu=FAILED", "statu"),
        ("status__isnull=x", "status__isnull"),
        ("status__exact=\U0001f600", "status__exact"),
        ("status__exact=failed", "status__exact"),
        ("all=x", "all"),
        ("p=x", "p"),
        ("p=0", "p"),
        ("p=-1", "p"),
        ("o=x", "o"),
        ("o=99", "o"),
        ("o=1.99", "o"),
        ("_facets=x", "_facets"),
    ],
)
def test_an_unusable_filter_is_a_bad_request_that_names_it(browser, query, name):
    task = make_task(Status.FAILED)
    selection = {"action": "retry_selected", "_selected_action": str(task.pk), "select_across": "1"}
    for response in (browser.get(f"{TASKS}?{query}"), browser.post(f"{TASKS}?{query}", selection)):
        assert response.status_code == 400
        assert f"<p>{name}: " in response.content.decode()
    task.refresh_from_db()
    assert task.status == Status.FAILED


@pytest.mark.parametrize("model", ["breaker", "queue", "schedule", "worker", "batch"])
def test_a_page_of_a_list_is_a_small_number(browser, model):
    assert browser.get(f"/admin/tasks/{model}/?p=1").status_code == 200
    assert browser.get(f"/admin/tasks/{model}/?p=99999999999").status_code == 400


@pytest.mark.parametrize("query", ["kind=", "foo=1", "kind=a&kind=b", "kind=a"])
def test_the_dead_letters_cannot_be_filtered(browser, query):
    response = browser.get(f"{TASKS}dead-letters/?{query}")
    assert response.status_code == 400
    assert ": There is no such filter.</p>" in response.content.decode()


def test_the_page_of_a_refusal_shows_who_is_logged_in(browser):
    logged_in = browser.get(f"{TASKS}?foo=1").content.decode()
    assert '<span class="name">root</span>' in logged_in
    assert "Log in" not in logged_in
    before_the_session = browser.get("/", headers={"host": "evil.example"})
    assert before_the_session.status_code == 400
    assert "Log in" not in before_the_session.content.decode()


def test_a_cleared_search_leads_to_the_list_without_a_search(browser):
    response = browser.get(f"{TASKS}?q=&status__exact=FAILED")
    assert (response.status_code, response["Location"]) == (302, f"{TASKS}?status__exact=FAILED")
    assert browser.get(f"{TASKS}?q=")["Location"] == TASKS
    assert browser.post(f"{TASKS}?q=").status_code == 400


def lists() -> list[tuple[str, Any]]:
    """Return the address and the admin of every list of the console."""
    return [
        (reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), screen)
        for model, screen in admin.site._registry.items()
    ]


def test_a_list_is_filtered_by_its_own_filters_only(viewer_with_all):
    others = ["pk", "user__password", "owner__password", "input__password", "liveness", "seen_at"]
    suffixes = ("", "__regex", "__startswith", "__x__iregex", "__isnull")
    for address, screen in lists():
        fields = screen.model._meta.get_fields()
        columns = {getattr(field, "attname", field.name) for field in fields}
        for lookup in (f"{name}{suffix}" for name in (*columns, *others) for suffix in suffixes):
            if not screen.lookup_allowed(lookup, "1"):
                assert viewer_with_all.get(f"{address}?{lookup}=1").status_code == 400, lookup


def test_few_lookups_are_allowed():
    allowed = {
        (address, f"{field.name}{suffix}")
        for address, screen in lists()
        for field in screen.model._meta.get_fields()
        for suffix in ("", "_id", "__exact", "__regex", "__startswith", "__gt", "__id__exact")
        if screen.lookup_allowed(f"{field.name}{suffix}", "1")
    }
    users, log = "/admin/auth/user/", "/admin/admin/logentry/"
    flags = ("is_staff", "is_superuser", "is_active", "groups")
    assert allowed == {
        *((TASKS, name) for name in ("kind", "queue", "owner", "batch", "error", "lane")),
        *((TASKS, f"status__{suffix}") for suffix in ("exact", "id__exact")),
        (TASKS, "worker_id"),
        *((users, f"{name}__{suffix}") for name in flags for suffix in ("exact", "id__exact")),
        *((log, f"action_flag__{suffix}") for suffix in ("exact", "id__exact")),
    } - {(TASKS, "lane")}


def addresses() -> list[str]:
    """Return every address of the console, its converters replaced by a placeholder."""

    def below(patterns: Any, prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = f"{prefix}{pattern.pattern}"
            if isinstance(pattern, URLResolver):
                yield from below(pattern.url_patterns, route)
            else:
                yield re.sub(r"<[^>]*>", "<>", route)

    # Django's own last pattern takes every other address.
    return [route for route in below(admin.site.get_urls(), "/admin/") if "$" not in route]


ODD = ("%00", "x%00y", HUGE, "%ED%A0%80", "_5F00")
ODD_QUERIES = ("", "?x=%00", "?_to_field=password", f"?p={HUGE}&q=%ED%A0%80")


def test_no_odd_address_of_the_console_is_an_error_of_the_server(browser):
    for route in sorted(set(addresses()) - {"/admin/logout/"}):
        for value in ODD if "<>" in route else ("",):
            address = route.replace("<>", value)
            responses = [browser.get(f"{address}{query}") for query in ODD_QUERIES]
            responses.append(browser.post(address, {"x": "\0", "name": "\0", "verb": "x"}))
            assert all(response.status_code < 500 for response in responses), address
            with_nul = responses if "%00" in value else responses[1:2]
            assert {response.status_code for response in with_nul} <= {400, 404}, address


@pytest.mark.parametrize("selected", ["x", "\0", HUGE])
def test_an_action_on_what_is_not_an_id_is_a_bad_request(browser, selected):
    for action in ("retry_selected", "cancel_selected", "delete_selected"):
        data = {"action": action, "_selected_action": selected}
        assert browser.post(TASKS, data).status_code == 400
    data = {"action": "delete_selected", "_selected_action": "x"}
    assert browser.post("/admin/auth/user/", data).status_code == 400
    assert browser.post(TASKS, {**data, "index": "x"}).status_code == 400


@pytest.mark.parametrize("name", ["kind", "error", "verb"])
@pytest.mark.parametrize("value", ["", " ", "\t", "\0", "\x1b", ["a", "a"]])
def test_an_unusable_value_of_a_group_action_is_a_bad_request(browser, name, value):
    task = make_task(Status.FAILED, error={"type": " "}, kind="a")
    group = {"verb": "retry", "kind": "a", "error": " ", name: value}
    response = browser.post(f"{TASKS}dead-letters/act/", group)
    assert response.status_code == 400
    task.refresh_from_db()
    assert task.status == Status.FAILED


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("/admin/tasks/queue/switch/", {"name": "default", "verb": "pause"}),
        ("/admin/tasks/breaker/reset/", {"name": "x"}),
    ],
)
def test_a_repeated_name_of_an_action_is_a_bad_request(browser, address, data):
    assert browser.post(address, {**data, "name": [data["name"]] * 2}).status_code == 400
    assert browser.post(address, {**data, "name": " "}).status_code == 400


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("/admin", "/admin/"),
        ("/admin?x=1", "/admin/?x=1"),
        ("/admin/tasks/task", "/admin/tasks/task/"),
        ("/admin/login?next=/admin/", "/admin/login/?next=/admin/"),
    ],
)
def test_an_address_without_its_final_slash_is_redirected(browser, address, target):
    response = browser.get(address)
    assert (response.status_code, response["Location"]) == (302, target)


def test_a_word_that_only_begins_like_the_console_is_not_redirected(browser):
    assert browser.get("/administrator").status_code == 404


@pytest.mark.parametrize("address", ["/admin/login/", "/admin/login/?next=https://evil.example/"])
def test_a_login_without_a_page_to_go_to_leads_to_the_overview(address):
    User.objects.create_superuser("root", password="root")
    response = Client().post(address, {"username": "root", "password": "root"})
    assert (response.status_code, response["Location"]) == (302, "/admin/")
