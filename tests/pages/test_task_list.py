"""The list of one's own tasks."""

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


def test_it_holds_ones_own_tasks_newest_first(alice, user, stranger):
    mine = [make_task(owner=user) for _ in range(3)]
    make_task(owner=stranger)
    make_task()
    assert listed(alice) == [str(task.pk) for task in reversed(mine)]


def test_staff_find_their_own_in_it_and_not_everybodys(client, operator, user):
    make_task(owner=user)
    own = make_task(owner=operator)
    client.force_login(operator)
    assert listed(client) == [str(own.pk)]


def test_visitors_who_are_not_logged_in_see_what_nobody_owns(client, user):
    make_task(owner=user)
    nobodys = make_task()
    assert listed(client) == [str(nobodys.pk)]


def test_it_can_be_narrowed_to_a_status(alice, user):
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


@pytest.mark.parametrize("query", ["?status=NONSENSE", "?before=nonsense", "?status=%00"])
def test_nonsense_in_the_address_is_no_error(alice, query):
    assert alice.get("/ui/tasks/" + query).status_code == 200


def test_it_is_live_only_while_something_moves(alice, user):
    make_task(Status.COMPLETED, owner=user)
    assert "hx-get" not in alice.get("/ui/tasks/").content.decode()
    make_task(Status.PROCESSING, owner=user)
    assert 'hx-trigger="every 2s"' in alice.get("/ui/tasks/").content.decode()


def test_a_page_costs_the_same_however_many_tasks_it_lists(
    alice, user, django_assert_max_num_queries
):
    for _ in range(30):
        make_task(owner=user)
    with django_assert_max_num_queries(3):
        alice.get("/ui/tasks/")
