from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tasks.models import Status
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import heartbeat

pytestmark = pytest.mark.django_db

URL = "/health/workers/diagnostics"


def test_an_operator_sees_the_memory_and_running_tasks_of_each_worker(api_for, operator):
    worker = make_worker("busy:1")
    heartbeat(worker)
    task = make_task(Status.PROCESSING, worker_id=worker)
    response = api_for(operator).get(URL)
    assert response.status_code == 200
    (shown,) = response.json()["workers"]
    assert (shown["name"], shown["memory_kib"]) == ("busy:1", 50_000)
    assert shown["running_tasks"] == [str(task.pk)]
    (slow,) = response.json()["slow_tasks"]
    assert (slow["task_id"], slow["worker"], slow["kind"]) == (str(task.pk), "busy:1", task.kind)
    assert response.json()["database"]["sessions"]
    assert set(response.json()["versions"]) >= {"python", "django", "procrastinate"}


def test_only_operators_see_diagnostics_of_an_api_that_needs_keys(api_for, user, settings):
    settings.API_ALLOW_ANONYMOUS = False
    assert api_for(user).get(URL).status_code == 403
    assert APIClient().get(URL).status_code == 401
