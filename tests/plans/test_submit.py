"""Submitting: a task gets its turn from the jobs that wait, and is announced if no other was."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from django.contrib.auth.models import User

from tasks import lifecycle
from tasks.lifecycle.preparation import submit_params, submit_statement
from tasks.submission import Owned
from tests.plans.databases import Databases, Moment, Statistics
from tests.plans.explain import ReadsTooMuch, Session, explain, guard
from tests.queue_rows import execute

pytestmark = pytest.mark.xdist_group("plans")

At = Callable[[Moment], None]
# The first job that waits, once for the turn and once for the announcement; the last of the owner;
# the owner itself.
BOUND = 4


def submit(session: Session = "own", owner: str | None = None) -> None:
    """Submit one task, for an owner who waits for nothing unless named; guard its plan."""
    user = User.objects.get(username=owner) if owner else User.objects.create_user("new")
    new = [Owned(lifecycle.prepare("test.script"), owner_id=user.pk)]
    params = submit_params(new, commits_at_once=True)
    guard(explain(submit_statement(new), params, session=session), rows=BOUND)


@pytest.mark.parametrize("session", get_args(Session))
@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("owner", [None, "many"])
def test_a_submit_does_not_read_what_waits(
    at: At, seeded: Databases, owner: str | None, statistics: Statistics, session: Session
) -> None:
    at(Moment.WAITING)
    seeded.use(statistics)
    submit(session, owner)


def test_the_guard_sees_what_a_function_reads(at: At) -> None:
    at(Moment.WAITING)
    execute("DROP INDEX tasks_waiting")
    with pytest.raises(ReadsTooMuch):
        submit()
