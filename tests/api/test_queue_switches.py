from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tasks.models import Queue
from tests.api.described import described, fields, post

pytestmark = pytest.mark.django_db


def test_an_operator_pauses_and_resumes_a_queue(
    api_for: Callable[[User], APIClient], operator: User
) -> None:
    api = api_for(operator)
    shown = described(post(api, "/api/v1/queues/default/pause"))
    assert shown == {"name": "default", "paused": True}
    assert Queue.objects.get().paused
    assert post(api, "/api/v1/queues/default/resume/").json()["paused"] is False
    assert not Queue.objects.get().paused


def test_only_operators_pause_and_resume_a_queue(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, viewer: User
) -> None:
    for verb in ("pause", "resume"):
        path = f"/api/v1/queues/default/{verb}"
        callers = (api, api_for(user), api_for(viewer))
        assert [post(caller, path).status_code for caller in callers] == [401, 403, 403]
    assert not Queue.objects.exists()


def test_an_invalid_queue_name_is_refused(
    api_for: Callable[[User], APIClient], operator: User
) -> None:
    assert list(fields(post(api_for(operator), "/api/v1/queues/a b/pause"))) == ["name"]
    assert not Queue.objects.exists()
