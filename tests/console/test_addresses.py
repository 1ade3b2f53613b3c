"""Addresses of the console: final slashes, and parameters that the database cannot take."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

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
        (f"{TASKS}?batch={HUGE}", 200),
        (f"{TASKS}?kind=%ED%A0%80", 200),
        (f"{TASKS}?p={HUGE}", 302),
        (f"{TASKS}?worker_id=x", 302),
        (f"{TASKS}?unknown=1", 302),
        ("/admin/auth/user/?groups__id__exact=1", 200),
        ("/admin/admin/logentry/?action_flag__exact=2", 200),
        ("/admin/r/1/1/", 404),
        ("/ui/tasks/?status=%00", 200),
        ("/ui/kinds/%00/", 404),
    ],
)
def test_other_odd_parameters_find_nothing_or_are_dropped(browser, address, status):
    assert browser.get(address).status_code == status


@pytest.mark.parametrize("selected", ["x", "\0", HUGE])
def test_an_action_on_what_is_not_an_id_is_a_bad_request(browser, selected):
    for action in ("retry_selected", "cancel_selected", "delete_selected"):
        data = {"action": action, "_selected_action": selected}
        assert browser.post(TASKS, data).status_code == 400
    data = {"action": "delete_selected", "_selected_action": "x"}
    assert browser.post("/admin/auth/user/", data).status_code == 400
    assert browser.post(TASKS, {**data, "index": "x"}).status_code == 400


def test_a_group_with_a_nul_character_is_not_found(browser):
    for group in ({"kind": "\0", "error": "-"}, {"kind": "a.kind", "error": "\0"}):
        response = browser.post(f"{TASKS}dead-letters/act/", {"verb": "retry", **group})
        assert response.status_code == 404


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
