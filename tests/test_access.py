"""Access rules: API, console, pages and webhooks give the same answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.test import Client
from django.urls import reverse
from knox.models import AuthToken

from analysis.models import Conversation, Message, Role
from analysis.reports import conversations
from analysis.webhooks.platforms import may_respond
from tasks.access import NO_USER, Caller, may_change, may_operate, may_see_all, visible_scope
from tasks.models import Status, Task
from tests.console.pages import button, page, text
from tests.factories import make_context, make_task

pytestmark = pytest.mark.django_db

BOTH = ("view_task", "operate_task")
STAFF, SUPERUSER, INACTIVE = {"is_staff": True}, {"is_superuser": True}, {"is_active": False}
# Fields and permissions of an account, and whether it sees every row and operates.
ACCOUNTS: dict[str, tuple[dict[str, Any], tuple[str, ...], bool, bool]] = {
    "user": ({}, (), False, False),
    "user with permissions": ({}, BOTH, False, False),
    "inactive operator": (STAFF | INACTIVE, BOTH, False, False),
    "inactive superuser": (STAFF | SUPERUSER | INACTIVE, (), False, False),
    "staff without permission": (STAFF, (), False, False),
    "staff who may not view": (STAFF, ("operate_task",), False, False),
    "staff viewer": (STAFF, ("view_task",), True, False),
    "staff operator": (STAFF, BOTH, True, True),
    "superuser": (STAFF | SUPERUSER, (), True, True),
    "superuser who is not staff": (SUPERUSER, (), False, False),
}
OUTSIDE = {"api": (404, 404), "console": (302, 302), "pages": (404, 404)}
LOGGED_OUT = {"api": (401, 401), "console": (302, 302), "pages": (302, 302)}
CLERK = {"api": (404, 404), "console": (403, 403), "pages": (404, 404)}
OPERATOR = {"api": (200, 200), "console": (200, 302), "pages": (200, 302)}
# The status codes of viewing and cancelling the task of another user.
ANSWERS = {
    "anonymous": LOGGED_OUT,
    "user": OUTSIDE,
    "user with permissions": OUTSIDE,
    "inactive operator": LOGGED_OUT,
    "inactive superuser": LOGGED_OUT,
    "staff without permission": CLERK,
    "staff who may not view": CLERK,
    "staff viewer": {"api": (200, 403), "console": (200, 403), "pages": (200, 403)},
    "staff operator": OPERATOR,
    "superuser": OPERATOR,
    "superuser who is not staff": OUTSIDE,
}


def make_account(name: str) -> User:
    fields, permissions, *_ = ACCOUNTS[name]
    user = User.objects.create_user(name.replace(" ", "-"), **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return User.objects.get(pk=user.pk)


def caller(name: str) -> Caller:
    return AnonymousUser() if name == "anonymous" else make_account(name)


def session_of(caller: Caller) -> Client:
    """Return a browser whose session began before the account was deactivated, if it was."""
    browser = Client()
    if isinstance(caller, User):
        browser.force_login(caller)
    return browser


def over_api(caller: Caller, task: Task) -> tuple[int, int]:
    headers = {}
    if isinstance(caller, User):
        headers["authorization"] = f"Bearer {AuthToken.objects.create(caller)[1]}"
    client, address = Client(headers=headers), f"/api/v1/tasks/{task.pk}"
    return client.get(address).status_code, client.post(f"{address}/cancel").status_code


def in_console(caller: Caller, task: Task) -> tuple[int, int]:
    browser = session_of(caller)
    return browser.get(page(task)).status_code, browser.post(button(task, "cancel")).status_code


def on_pages(caller: Caller, task: Task) -> tuple[int, int]:
    browser, address = session_of(caller), f"/ui/tasks/{task.pk}/"
    return browser.get(address).status_code, browser.post(f"{address}cancel/").status_code


INTERFACES: dict[str, Callable[[Caller, Task], tuple[int, int]]] = {
    "api": over_api,
    "console": in_console,
    "pages": on_pages,
}


@pytest.fixture(autouse=True)
def _closed_api(settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = False


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("name", ANSWERS)
def test_every_interface_applies_the_same_rule(user: User, name: str, interface: str) -> None:
    task = make_task(owner=user)
    assert INTERFACES[interface](caller(name), task) == ANSWERS[name][interface]
    task.refresh_from_db()
    operates = name != "anonymous" and ACCOUNTS[name][3]
    assert task.status == (Status.CANCELLED if operates else Status.PENDING)


@pytest.mark.parametrize("name", ACCOUNTS)
def test_each_account_has_the_rights_of_its_fields_and_permissions(user: User, name: str) -> None:
    *_, sees_all, operates = ACCOUNTS[name]
    account = make_account(name)
    own_id = account.pk if account.is_active else NO_USER
    assert (may_see_all(account), may_operate(account)) == (sees_all, operates)
    assert visible_scope(account) == (sees_all, own_id)
    assert may_change(account, owner_id=account.pk) == account.is_active
    assert may_change(account, owner_id=user.pk) == operates
    assert may_change(account, owner_id=None) == operates


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_query_for_changeable_rows_applies_the_rule_for_one_row(user: User, name: str) -> None:
    account = make_account(name)
    for owner in (account, user, None):
        make_task(owner=owner)
    changeable = {task.owner_id for task in Task.objects.changeable_by(account)}
    assert changeable == {
        owner_id
        for owner_id in (account.pk, user.pk, None)
        if may_change(account, owner_id=owner_id)
    }


@pytest.mark.parametrize("anonymous", [None, AnonymousUser()])
def test_an_anonymous_caller_sees_and_changes_rows_without_an_owner(
    anonymous: Caller, user: User
) -> None:
    assert (may_see_all(anonymous), may_operate(anonymous)) == (False, False)
    assert visible_scope(anonymous) == (False, None)
    assert (may_change(anonymous, owner_id=None), may_change(anonymous, owner_id=user.pk)) == (
        True,
        False,
    )


def test_an_inactive_user_sees_no_row() -> None:
    account = make_account("inactive operator")
    make_task()
    make_task(owner=account)
    assert not Task.objects.visible_to(account).exists()


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_platform_is_sent_replies_of_operators_only(name: str) -> None:
    assert may_respond(make_account(name).pk) == ACCOUNTS[name][3]


def test_a_platform_is_sent_replies_without_an_owner_but_none_of_a_deleted_owner() -> None:
    assert may_respond(None)
    assert not may_respond(NO_USER)


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_report_counts_every_conversation_for_those_who_see_all(user: User, name: str) -> None:
    conversation = Conversation.objects.create(owner=user)
    Message.objects.create(
        conversation=conversation, role=Role.USER, text="Hi", task_id=uuid.uuid4()
    )
    context = make_context(owner_id=make_account(name).pk)
    counted = conversations.handle({}, context)["total"]["conversations"]
    assert counted == (1 if ACCOUNTS[name][2] else 0)


@pytest.mark.parametrize(
    ("name", "tasks", "keys"),
    [
        ("staff without permission", False, False),
        ("staff who may not view", False, False),
        ("staff viewer", True, False),
        ("staff operator", True, True),
        ("superuser", True, True),
    ],
)
def test_the_menu_offers_the_screens_that_may_be_opened(name: str, tasks: bool, keys: bool) -> None:
    shown = text(session_of(make_account(name)).get(reverse("admin:index")))
    assert ("Schedules" in shown, "API keys" in shown) == (tasks, keys)
