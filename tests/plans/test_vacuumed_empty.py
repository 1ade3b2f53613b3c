"""Plans that a worker made for tables that had been emptied, and keeps when they fill again."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_django import DjangoDbBlocker

from tasks import lifecycle, sql
from tasks.lifecycle.ending import parameters
from tasks.lifecycle.staging import STAGE_LIMIT
from tasks.models import Task
from tests.databases import connected_to, database, open_session
from tests.plans.explain import Plan, ReadsTooMuch, prepared
from tests.plans.rows import TABLES
from tests.plans.worker import STAGE_PARAMS, claim, claim_params, endings
from tests.queue_rows import execute

pytestmark = pytest.mark.xdist_group("plans")

TASKS = 3_000
LIMIT = 500


@pytest.fixture(scope="module")
def empty(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Return a database with tables from which all rows were deleted and vacuumed."""
    name = f"plans_empty_{os.getpid()}"
    with django_db_blocker.unblock(), database(name):
        with connected_to(name):
            call_command("migrate", verbosity=0)
            submit()
            Task.objects.all().delete()
        with open_session(name) as session:
            session.execute("DELETE FROM procrastinate_jobs")
            for table in TABLES:
                session.execute(f"VACUUM ANALYZE {table}")
        yield name


@pytest.fixture
def in_transaction(empty: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Connect Django to the database, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), connected_to(empty), transaction.atomic():
        yield
        transaction.set_rollback(True)


def submit() -> None:
    lifecycle.submit_many([lifecycle.prepare("test.script") for _ in range(TASKS)])


def returned(plan: Plan, *, rows: int) -> None:
    """Raise ReadsTooMuch when the parts of a plan return more rows than the bound."""
    if plan.returned > rows:
        report = "\n".join(map(str, plan.scans))
        raise ReadsTooMuch(f"{plan.returned:,} rows returned, at most {rows:,} may be:\n{report}")


def test_staging_reads_what_is_due(in_transaction: None) -> None:
    stage = prepared(sql.STAGE)
    stage(STAGE_PARAMS)
    submit()
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 day'")
    execute(
        "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE id IN"
        f" (SELECT id FROM procrastinate_jobs LIMIT {STAGE_LIMIT})"
    )
    # A due job passes through some fifteen nodes of the plan.
    returned(stage(STAGE_PARAMS), rows=20 * STAGE_LIMIT)


def test_a_claim_reads_what_it_takes(in_transaction: None) -> None:
    claiming = prepared(sql.CLAIM)
    params = claim_params(limit=LIMIT)
    claiming(params)
    submit()
    returned(claiming(params), rows=40 * LIMIT)


def test_a_finish_reads_its_own_tasks(in_transaction: None) -> None:
    finish = prepared(sql.FINISH)
    finish(parameters([], worker="plans"))
    submit()
    returned(finish(parameters(endings(claim(limit=LIMIT)), worker="plans")), rows=40 * LIMIT)
