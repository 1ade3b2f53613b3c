"""Lists: a page is read from the newest on, and nothing is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from tasks.api.pagination import PAGE_SIZE
from tests.plans import rows
from tests.plans.databases import SUBMITTED, Moment
from tests.plans.explain import Plan, ReadsTooMuch, explained, guard
from tests.queue_rows import execute

pytestmark = pytest.mark.xdist_group("plans")

At = Callable[[Moment], None]
TASKS = "/api/v1/tasks/"
DEAD_LETTERS = "/api/v1/queues/dlq"
# One more than the page shows whether there is a next one.
PAGE = PAGE_SIZE + 1
# Half of the tasks belong to others, in runs of a hundred.
PAGE_AMONG_OTHERS = 4 * PAGE
MOMENTS = pytest.mark.parametrize("moment", [Moment.WAITING, Moment.FINISHED])


def get(path: str, user: str) -> list[Plan]:
    """Request a path as a user, or anonymously if empty; return the plans of its queries."""
    client = APIClient()
    if user:
        client.force_authenticate(User.objects.get(username=user))
    with explained() as plans:
        assert client.get(path).status_code == 200
    return plans


@MOMENTS
@pytest.mark.parametrize(
    ("user", "query", "bound"),
    # Few that wait may be read and sorted: there is no index of what waits, newest first.
    [
        ("operator", "", PAGE),
        ("operator", "status=PENDING", SUBMITTED),
        ("operator", "status=PROCESSING", PAGE),
        ("operator", "status=COMPLETED", PAGE),
        ("operator", "status=FAILED", PAGE),
        ("operator", "status=CANCELLED", PAGE),
        ("operator", "lane=primary", SUBMITTED),
        ("operator", "lane=retry", PAGE),
        ("operator", "lane=scheduled", PAGE),
        ("operator", "lane=dlq", PAGE),
        ("many", "", PAGE),
        ("many", "status=COMPLETED", PAGE_AMONG_OTHERS),
        ("many", "status=FAILED", PAGE_AMONG_OTHERS),
        ("many", "lane=retry", PAGE_AMONG_OTHERS),
        ("many", "lane=scheduled", PAGE_AMONG_OTHERS),
        ("few", "", PAGE),
        ("", "", PAGE_AMONG_OTHERS),
    ],
)
def test_a_page_of_tasks_reads_about_as_many_as_it_shows(
    at: At, moment: Moment, user: str, query: str, bound: int
) -> None:
    at(moment)
    (plan,) = get(f"{TASKS}?{query}", user)
    guard(plan, rows=bound)


@MOMENTS
@pytest.mark.parametrize("query", ["", "status=FAILED"])
def test_the_next_page_begins_where_the_last_one_ended(at: At, moment: Moment, query: str) -> None:
    at(moment)
    client = APIClient()
    client.force_authenticate(User.objects.get(username="operator"))
    after = client.get(f"{TASKS}?{query}").json()["next"]
    (plan,) = get(after, "operator")
    guard(plan, rows=PAGE)


@MOMENTS
@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELLED"])
def test_an_owner_of_few_tasks_does_not_wait_for_those_of_others(
    at: At, moment: Moment, status: str
) -> None:
    at(moment)
    (plan,) = get(f"{TASKS}?status={status}", "few")
    # One index holds all that is theirs, and entries of what other tests rolled back; another holds
    # all that failed. A bitmap reads both.
    theirs = 2 * rows.MILLION // 100
    guard(plan, rows=2 * theirs + rows.PART)


@MOMENTS
def test_dead_letters_are_read_through_their_index(at: At, moment: Moment) -> None:
    at(moment)
    page, groups = get(DEAD_LETTERS, "operator")
    guard(page, rows=PAGE)
    # All of them are counted, by kind and error.
    guard(groups, rows=rows.PART)


@MOMENTS
@pytest.mark.parametrize("path", ["/admin/tasks/task/", "/ui/tasks/"])
def test_the_lists_of_console_and_pages_count_nothing(at: At, moment: Moment, path: str) -> None:
    at(moment)
    client = Client()
    client.force_login(User.objects.get(username="operator"))
    with explained() as plans:
        assert client.get(path).status_code == 200
    assert plans
    for plan in plans:
        guard(plan, rows=PAGE_AMONG_OTHERS)


@pytest.mark.parametrize(
    ("user", "path", "index", "bound"),
    [
        ("few", TASKS, "task_owned_newest", PAGE),
        ("operator", f"{TASKS}?status=COMPLETED", "task_completed_newest", PAGE),
        ("operator", f"{TASKS}?status=CANCELLED", "task_undone_newest", PAGE),
        ("operator", f"{TASKS}?lane=retry", "task_retried_newest", PAGE),
        ("operator", f"{TASKS}?lane=scheduled", "task_scheduled_newest", PAGE),
        ("operator", DEAD_LETTERS, "task_failed_newest", PAGE),
    ],
)
def test_the_guard_fails_when_an_index_is_missing(
    at: At, user: str, path: str, index: str, bound: int
) -> None:
    at(Moment.WAITING)
    execute(f"DROP INDEX {index}")
    plan, *_ = get(path, user)
    with pytest.raises(ReadsTooMuch):
        guard(plan, rows=bound)
