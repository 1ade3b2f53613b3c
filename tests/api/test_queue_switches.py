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
    shown = described(post(api, "/api/v1/queues/default/pause", {"reason": "their server is down"}))
    queue = Queue.objects.get()
    assert queue.paused
    assert shown["paused_at"]
    assert shown == {
        "name": "default", "paused": True, "paused_by": operator.username,
        "paused_reason": "their server is down", "paused_at": shown["paused_at"],
    }  # fmt: skip
    resumed = post(api, "/api/v1/queues/default/resume/").json()
    assert resumed == {
        "name": "default", "paused": False, "paused_by": "", "paused_reason": "", "paused_at": None,
    }  # fmt: skip
    assert not Queue.objects.get().paused


def test_a_queue_is_paused_without_a_reason_and_again_with_another(
    api_for: Callable[[User], APIClient], operator: User
) -> None:
    api = api_for(operator)
    assert post(api, "/api/v1/queues/default/pause").json()["paused_reason"] == ""
    paused_at = Queue.objects.get().paused_at
    for body in ({"reason": "a migration"}, None):
        again = post(api, "/api/v1/queues/default/pause", body)
        assert again.json()["paused_reason"] == "a migration"
    assert Queue.objects.get().paused_at == paused_at
    assert list(fields(post(api, "/api/v1/queues/default/pause", {"reason": "x" * 201}))) == [
        "reason"
    ]
    assert list(fields(post(api, "/api/v1/queues/default/pause", {"why": "x"}))) == ["why"]


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
