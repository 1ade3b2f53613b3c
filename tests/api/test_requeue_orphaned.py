from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tasks.models import Status
from tests.api.described import described, post
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db

PATH = "/api/v1/tasks/requeue-orphaned"


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
def test_the_tasks_of_dead_workers_are_rescued(api: APIClient, path: str) -> None:
    orphan = make_task(Status.PROCESSING, worker_id=make_worker(silent_for=60))
    held = make_task(Status.PROCESSING, worker_id=make_worker("test:2"))
    assert post(api, path).json() == {"requeued": 1}
    assert post(api, path).json() == {"requeued": 0}
    orphan.refresh_from_db()
    held.refresh_from_db()
    assert (orphan.status, held.status) == (Status.PENDING, Status.PROCESSING)


def test_the_response_matches_its_schema(api: APIClient) -> None:
    assert described(post(api, PATH)) == {"requeued": 0}


def test_only_operators_rescue_tasks_of_an_api_that_needs_keys(
    api: APIClient,
    api_for: Callable[[User], APIClient],
    user: User,
    operator: User,
    settings: Any,
) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    statuses = [
        post(client, PATH).status_code for client in (api, api_for(user), api_for(operator))
    ]
    assert statuses == [401, 403, 200]
