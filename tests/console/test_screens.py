from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tasks.models import Batch, Status, Task
from tests.console.pages import SCREENS, page, text
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def _rows(tasks: dict[str, Task], user: User) -> None:
    batch = Batch.objects.create(owner=user, total=2)
    make_task(Status.COMPLETED, batch=batch)
    make_task(Status.PENDING, batch=batch, queue="other")
    make_worker("gone:1", silent_for=60)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("role", ["viewer", "operator"])
@pytest.mark.usefixtures("_rows")
def test_every_screen_shows_rows_of_every_status(request, console, role, screen):
    response = console(request.getfixturevalue(role)).get(reverse(screen))
    assert response.status_code == 200


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_opens_without_rows(operator, console, screen):
    assert console(operator).get(reverse(screen)).status_code == 200


def test_an_empty_list_reports_no_rows_or_no_match(operator, console):
    browser = console(operator)
    batches = browser.get(reverse("admin:tasks_batch_changelist"))
    assert "There are no batches." in text(batches)
    matches = browser.get(reverse("admin:tasks_task_changelist"), {"q": "unknown"})
    assert "No task matches the search and filters. Reset filters" in text(matches)


@pytest.mark.parametrize("status", [*Status.values, "RETRY"])
@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_a_task_of_every_status_has_a_page(request, console, role, tasks, status):
    response = console(request.getfixturevalue(role)).get(page(tasks[status]))
    assert response.status_code == 200


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_redirects_users_who_are_not_staff_to_the_login(
    client: Client, user, console, screen
):
    for browser in (client, console(user)):
        response = browser.get(reverse(screen))
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("screen", [screen for screen in SCREENS if screen != "admin:index"])
def test_staff_without_view_permission_get_403_from_every_screen(console, screen):
    clerk = User.objects.create_user("clerk", is_staff=True)
    assert console(clerk).get(reverse(screen)).status_code == 403


def test_staff_without_view_permission_see_no_counts_on_the_overview(console):
    clerk = User.objects.create_user("clerk", is_staff=True)
    assert (
        "You do not have permission to view tasks"
        in console(clerk).get(reverse("admin:index")).content.decode()
    )


def test_the_audit_log_requires_its_view_permission(operator, console):
    address = reverse("admin:admin_logentry_changelist")
    assert console(operator).get(address).status_code == 403
    operator.user_permissions.add(Permission.objects.get(codename="view_logentry"))
    assert console(operator).get(address).status_code == 200


def test_no_model_of_procrastinate_has_a_screen():
    models = list(apps.get_app_config("procrastinate").get_models())
    assert models
    assert not any(admin.site.is_registered(model) for model in models)
    with pytest.raises(NoReverseMatch):
        reverse("admin:procrastinate_procrastinatejob_changelist")


@pytest.mark.parametrize("model", ["task", "batch", "queue", "worker"])
def test_rows_of_the_engine_cannot_be_added_or_deleted_by_hand(admin_client, model, tasks):
    assert admin_client.get(reverse(f"admin:tasks_{model}_add")).status_code == 403
    pk = tasks["COMPLETED"].pk if model == "task" else "1"
    address = reverse(f"admin:tasks_{model}_delete", args=[pk])
    assert admin_client.post(address, {"post": "yes"}).status_code == 403
    assert Task.objects.count() == len(tasks)


def test_a_post_to_a_task_page_changes_nothing(admin_client, tasks):
    task = tasks["COMPLETED"]
    admin_client.post(page(task), {"status": "PENDING", "_save": "Save"})
    task.refresh_from_db()
    assert task.status == Status.COMPLETED
