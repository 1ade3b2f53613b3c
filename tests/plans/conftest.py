from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_django import DjangoDbBlocker

from tests.plans import databases
from tests.plans.databases import Databases, Moment


@pytest.fixture(scope="package")
def seeded(django_db_blocker: DjangoDbBlocker) -> Iterator[Databases]:
    """Return two databases with a million tasks each, which no other test sees."""
    with django_db_blocker.unblock(), databases.seeded() as both:
        yield both


@pytest.fixture
def at(seeded: Databases, django_db_blocker: DjangoDbBlocker) -> Iterator[Callable[[Moment], None]]:
    """Return a function that connects Django to the tables of a moment; nothing stays written."""
    with django_db_blocker.unblock(), ExitStack() as stack:
        yield lambda moment: stack.enter_context(seeded.at(moment))
