"""The list of the visitor's own tasks."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tasks.models import Status
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def listed(client, address="/ui/tasks/"):
    page = client.get(address).content.decode()
    return re.findall(r'id="task-([0-9a-f-]+)"', page)


def test_the_list_shows_the_visitors_own_tasks_newest_first(alice, user, stranger):
    own_tasks = [make_task(owner=user) for _ in range(3)]
    make_task(owner=stranger)
    make_task()
    assert listed(alice) == [str(task.pk) for task in reversed(own_tasks)]


def test_staff_see_only_their_own_tasks_in_the_list(client, operator, user):
    make_task(owner=user)
    own_task = make_task(owner=operator)
    client.force_login(operator)
    assert listed(client) == [str(own_task.pk)]


def test_an_anonymous_visitor_sees_tasks_without_an_owner(client, user):
    make_task(owner=user)
    ownerless = make_task()
    assert listed(client) == [str(ownerless.pk)]


def test_the_list_can_be_filtered_by_status(alice, user):
    failed = make_task(Status.FAILED, owner=user)
    make_task(Status.COMPLETED, owner=user)
    assert listed(alice, "/ui/tasks/?status=FAILED") == [str(failed.pk)]


def test_every_task_is_on_exactly_one_page(alice, user):
    tasks = [make_task(Status.COMPLETED, owner=user) for _ in range(60)]
    seen: list[str] = []
    query = "?status=COMPLETED"
    while query:
        seen += listed(alice, f"/ui/tasks/{query}")
        page = alice.get(f"/ui/tasks/{query}").content.decode()
        link = re.search(r'href="([^"]+)" rel="next"', page)
        query = unescape(link[1]) if link else ""
        assert query == "" or query.startswith("?status=COMPLETED&before=")
    assert seen == [str(task.pk) for task in reversed(tasks)]


@pytest.mark.parametrize("name", ["status", "before"])
@pytest.mark.parametrize("value", ["NONSENSE", "", "%20", "%00", "%ED%A0%80", "FAILED&{}=FAILED"])
def test_an_unusable_filter_is_refused_by_name(alice, name, value):
    response = alice.get(f"/ui/tasks/?{name}={value.format(name)}")
    assert response.status_code == 400
    assert f"<p>{name}: " in response.content.decode()


def test_a_parameter_that_is_not_a_filter_is_ignored(alice):
    assert alice.get("/ui/tasks/?utm_source=mail&x=").status_code == 200


def test_the_list_polls_until_all_its_tasks_have_ended(alice, user):
    make_task(Status.COMPLETED, owner=user)
    assert "hx-get" not in alice.get("/ui/tasks/").content.decode()
    make_task(Status.PROCESSING, owner=user)
    assert 'hx-trigger="every 2s"' in alice.get("/ui/tasks/").content.decode()


def test_the_number_of_queries_does_not_depend_on_the_number_of_tasks(
    alice, user, django_assert_max_num_queries
):
    for _ in range(30):
        make_task(owner=user)
    with django_assert_max_num_queries(3):
        alice.get("/ui/tasks/")
