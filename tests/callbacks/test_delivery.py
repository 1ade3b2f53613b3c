"""Delivery of a callback to receivers that accept it, refuse it or do not answer."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from contextlib import suppress
from email.utils import format_datetime
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks import Webhook
from uuid_utils.compat import uuid7

from tasks.callback_address import Receiver as Addressee
from tasks.callbacks import host_limits, post
from tasks.callbacks.kind import deliver
from tasks.callbacks.retry_schedule import MAX_ATTEMPTS, PAUSES, SCHEDULE
from tasks.callbacks.signed_post import Undelivered
from tasks.callbacks.signing import secrets_of
from tasks.correlation import running
from tasks.counts import counts
from tasks.kinds import Cancel, FatalError, Retry, Snooze
from tasks.models import Status, Task
from tests.callbacks.receiver import Receiver
from tests.causes import CAUSE, Caused
from tests.factories import make_context, make_task
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


def send(
    task: Task, *, attempt: int = 1, id: uuid.UUID | None = None, **more: Any
) -> dict[str, Any]:
    context = make_context(
        task_id=id or uuid7(), attempt=attempt, owner_id=task.owner_id, soft_time_limit=25
    )
    return deliver({"task_id": str(task.id), **more}, context) or {}


def ended(receiver: Receiver, path: str = "/", **fields: Any) -> Task:
    status = fields.pop("status", Status.COMPLETED)
    return make_task(status, callback_url=receiver.url(path), **fields)


def test_a_message_is_small_and_signed_and_carries_its_id(receiver: Receiver, user: Any) -> None:
    task = ended(receiver, "/204?a=1", owner=user, metadata={"order": 7})
    message_id = uuid7()
    assert send(task, id=message_id) == {"status_code": 204}
    (request,) = receiver.received
    assert (request.path, request.id) == ("/204?a=1", str(message_id))
    assert request.headers["content-type"] == "application/json"
    assert Webhook(secrets_of(user.pk)[0]).verify(request.body, request.headers) == {
        "type": "task.completed",
        "timestamp": task.finished_at and task.finished_at.isoformat(),
        "data": {
            "task_id": str(task.id),
            "kind": "test.script",
            "status": "COMPLETED",
            "result": {"done": True},
            "error": None,
            "metadata": {"order": 7},
            "links": {"self": f"/api/v1/tasks/{task.id}"},
        },
    }


def test_a_message_goes_on_with_the_trace_of_the_request_that_caused_the_task(
    receiver: Receiver,
) -> None:
    task = ended(receiver)
    send(task)
    with running(Caused()):
        send(task)
    without, with_cause = (request.headers for request in receiver.received)
    assert "traceparent" not in without
    assert with_cause["x-request-id"] == "r-1"
    assert with_cause["traceparent"].startswith(f"00-{CAUSE.trace_id}-")
    assert with_cause["traceparent"] != CAUSE.traceparent


def test_a_large_result_is_left_out_of_the_message(receiver: Receiver) -> None:
    send(ended(receiver, result={"text": "x" * 20_000}))
    assert receiver.received[0].message["data"]["result"] is None


def test_a_failure_is_reported_with_its_error_and_no_traceback(receiver: Receiver) -> None:
    send(ended(receiver, status=Status.FAILED))
    message = receiver.received[0].message
    assert (message["type"], message["data"]["error"]["type"]) == ("task.failed", "ValueError")
    assert "Traceback" not in receiver.received[0].body


def test_a_task_retried_by_hand_since_its_end_is_reported_with_that_end(receiver: Receiver) -> None:
    at = "2026-01-01T00:00:00+00:00"
    send(ended(receiver), status="FAILED", ended_at=at)
    message = receiver.received[0].message
    assert (message["type"], message["timestamp"]) == ("task.failed", at)
    assert (message["data"]["result"], message["data"]["error"]) == (None, None)


def test_each_try_is_counted_by_its_result(receiver: Receiver, settings: Any) -> None:
    counts.take()
    send(ended(receiver))
    for path in ("/404", "/503", "/503", "/410"):
        with suppress(Undelivered, Cancel):
            send(ended(receiver, path))
    settings.CALLBACK_ALLOW_PRIVATE = False
    with suppress(FatalError):
        send(ended(receiver))
    results = {labels: n for (name, labels), n in counts.take().items() if "callbacks" in name}
    assert results == {("accepted",): [1], ("4xx",): [2], ("5xx",): [2], ("forbidden",): [1]}


@pytest.mark.parametrize("status", [400, 401, 404, 500, 502, 503, 504])
def test_a_message_that_is_answered_with_an_error_is_sent_again(
    receiver: Receiver, status: int
) -> None:
    with pytest.raises(Undelivered, match=f"answered {status}"):
        send(ended(receiver, f"/{status}"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [f"{status} Elsewhere\nLocation: {receiver.url('/200')}"]
    with pytest.raises(Undelivered, match=f"answered {status}"):
        send(ended(receiver))
    assert [request.path for request in receiver.received] == ["/"]


def test_an_answer_410_cancels_the_callback(receiver: Receiver) -> None:
    with pytest.raises(Cancel, match="410"):
        send(ended(receiver, "/410"))


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("120", 120, 120),
        ("60.5", 60.5, 60.5),
        ("0", 5, 5.5),
        ("1", 5, 5.5),
        ("99999999999999", 86_400, 86_400),
        ("a date in an hour", 3_500, 3_600),
    ],
    ids=["seconds", "a fraction", "now", "too soon", "too late", "a date"],
)
def test_a_busy_receiver_is_called_again_after_its_retry_after(
    receiver: Receiver, status: int, retry_after: str, least: float, most: float
) -> None:
    if retry_after == "a date in an hour":
        # Written now: the tests may have been collected long before.
        retry_after = format_datetime(timezone.now() + dt.timedelta(hours=1), usegmt=True)
    receiver.answers = [f"{status} Busy\nRetry-After: {retry_after}"]
    with pytest.raises(Retry) as raised:
        send(ended(receiver))
    assert least <= (raised.value.delay or 0) <= most


@pytest.mark.parametrize(
    "retry_after",
    [
        "soon",
        "-5",
        "",
        "Fri, 99 Nov 9999 99:99:99 GMT",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
def test_a_retry_after_that_cannot_be_read_is_ignored(receiver: Receiver, retry_after: str) -> None:
    receiver.answers = [f"429 Busy\nRetry-After: {retry_after}"]
    with pytest.raises(Undelivered):
        send(ended(receiver))


@pytest.mark.parametrize("path", ["/reset", "/silent", "/drip"])
def test_an_answer_that_breaks_off_or_never_ends_costs_a_bounded_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(post, "TOTAL_LIMIT", 0.5)
    began = time.monotonic()
    with pytest.raises(Undelivered):
        send(ended(receiver, path))
    assert time.monotonic() - began < 3
    assert len(receiver.received) == 1


def test_a_receiver_that_is_down_is_tried_by_one_call_at_a_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "TOTAL_LIMIT", 0.2)
    monkeypatch.setattr(host_limits, "DOWN_SECONDS", 60)
    dead, healed = ended(receiver, "/silent"), ended(receiver, "/200")
    for _ in range(50):
        with pytest.raises(Undelivered):
            send(dead)
    assert len(receiver.received) == 1
    monkeypatch.setattr(host_limits, "DOWN_SECONDS", 0.5)
    with pytest.raises(Undelivered, match="did not answer in time"):
        send(dead, attempt=MAX_ATTEMPTS)
    with pytest.raises(Undelivered, match="other callbacks"):
        send(healed)
    wait_until(lambda: _is_accepted(healed))
    assert send(healed) == {"status_code": 200}


def _is_accepted(task: Task) -> bool:
    try:
        return bool(send(task))
    except Undelivered:
        return False


def test_a_receiver_that_does_not_answer_leaves_slots_for_others(receiver: Receiver) -> None:
    host_limits.set_capacity(4)
    slow, quick = receiver.url("/silent"), receiver.url("/200", host="localhost")
    calls = [threading.Thread(target=_call, args=(slow,)) for _ in range(2)]
    for call in calls:
        call.start()
    wait_until(lambda: len(receiver.received) == 2)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(Snooze, match="in progress"):
            send(make_task(Status.COMPLETED, callback_url=slow))
    assert send(make_task(Status.COMPLETED, callback_url=quick)) == {"status_code": 200}
    assert time.monotonic() - began < 2
    receiver.ended.set()
    for call in calls:
        call.join()


def _call(url: str) -> None:
    to = Addressee.of(url)
    with suppress(post.NoAnswer), host_limits.host_slot(to.authority):
        post.post(to, body=b"{}", headers={})


def test_a_message_that_is_sent_again_keeps_its_id_and_its_body(receiver: Receiver) -> None:
    task, message_id = ended(receiver, "/500"), uuid7()
    for attempt in (1, 2, 3):
        with pytest.raises(Undelivered):
            send(task, id=message_id, attempt=attempt)
    assert {request.id for request in receiver.received} == {str(message_id)}
    assert len({request.body for request in receiver.received}) == 1


def test_a_callback_is_cancelled_if_its_task_is_deleted_or_anothers_or_has_no_url(
    receiver: Receiver, user: Any
) -> None:
    deleted = ended(receiver)
    Task.objects.filter(pk=deleted.pk).delete()
    others = ended(receiver, owner=user)
    others.owner_id = None
    without_url = make_task(Status.COMPLETED)
    for task in (deleted, others, without_url):
        with pytest.raises(Cancel):
            send(task)
    assert receiver.received == []


def test_an_address_that_became_forbidden_is_not_called(receiver: Receiver, settings: Any) -> None:
    task = ended(receiver)
    settings.CALLBACK_ALLOW_PRIVATE = False
    with pytest.raises(FatalError):
        send(task)
    assert receiver.received == []


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    hours = [seconds / 3600 for seconds in PAUSES[3:]]
    assert (PAUSES[:3], hours) == ((5, 300, 1800), [2, 5, 10, 14, 20, 24])
    for attempt, pause in enumerate(PAUSES, start=1):
        delays = [SCHEDULE.next_delay(attempt) for _ in range(50)]
        assert pause <= min(delays) < max(delays) <= pause * 1.1
