"""The conversations: `/conversations/…`."""

from __future__ import annotations

import pytest

from tests.documents.later import cancelled, later, not_found
from tests.documents.shapes import (
    COUNT,
    PERCENT,
    TASK_ID,
    TEXT,
    TIME,
    AtLeast,
    Each,
    either,
    one_of,
)
from tests.documents.site import Site

pytestmark = pytest.mark.xdist_group("documents")

STATES = one_of("PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED")
PROCESSING = {
    "conversation_id": "pending",
    "response": "Message received and being processed",
    "status": "processing",
    "task_id": TASK_ID,
}
SEND = """
POST /conversations/message
{
    "conversation_id": "conv_123",
    "message": "I need help with this product",
    "async_processing": true
}
"""
STATUS = "GET /conversations/tasks/{task_id}/status"


def test_a_message_is_answered_immediately_with_a_task(site: Site) -> None:
    site.play(SEND).shows(202, PROCESSING)


def test_the_quickest_of_ten_messages_is_queued_within_100_ms(site: Site) -> None:
    # Each begins a conversation of its own: in one, ten replies would wait for each other.
    message = """
POST /conversations/message
{
    "message": "I need help with this product",
    "async_processing": true
}
    """
    exchanges = [site.play(message) for _ in range(10)]
    for exchange in exchanges:
        exchange.shows(202, PROCESSING)
    assert min(exchange.milliseconds for exchange in exchanges) < 100


def test_the_status_of_a_message_ends_with_the_reply(site: Site) -> None:
    task_id = site.play(SEND).shows(202, PROCESSING)["task_id"]
    site.play_until(
        STATUS,
        200,
        {
            "task_id": task_id,
            "status": "SUCCESS",
            "progress": 100,
            "result": {"conversation_id": "conv_123", "ai_response": TEXT},
        },
        task_id=task_id,
    )


def test_a_poll_is_answered_at_every_moment(site: Site) -> None:
    task_id = site.play(SEND).shows(202, PROCESSING)["task_id"]
    result = {"conversation_id": "conv_123", "ai_response": TEXT}
    site.play(STATUS, task_id=task_id).shows(
        200,
        {
            "task_id": task_id,
            "status": STATES,
            "progress": PERCENT,
            "result": either(None, result),
        },
    )


def test_without_async_processing_the_reply_is_in_the_answer(site: Site) -> None:
    site.play(
        """
POST /conversations/message
{
    "conversation_id": "conv_123",
    "message": "I need help with this product",
    "async_processing": false
}
        """
    ).shows(
        200,
        {
            "conversation_id": "conv_123",
            "response": TEXT,
            "status": "completed",
            "task_id": TASK_ID,
        },
    )


def test_a_webhook_interaction_is_asynchronous_by_default(site: Site) -> None:
    site.play(
        """
POST /conversations/webhook-interaction
{
    "platform": "generic",
    "payload": {"conversation_id": "conv_123", "message": "I need help with this product"}
}
        """
    ).shows(202, PROCESSING)


def test_what_facebook_sends_is_answered_too(site: Site) -> None:
    sent = site.play(
        """
POST /conversations/webhook-interaction
{
    "platform": "facebook",
    "payload": {"object": "page", "entry": [{"id": "1", "time": 1767225600000, "messaging": [{
        "sender": {"id": "2"}, "recipient": {"id": "1"}, "timestamp": 1767225600000,
        "message": {"mid": "m_1", "text": "I need help with this product"}}]}]}
}
        """
    ).shows(202, PROCESSING)
    done = AtLeast({"status": "SUCCESS", "progress": 100})
    site.play_until(STATUS, 200, done, task_id=sent["task_id"])


def test_the_queues_show_what_is_active_and_pending(site: Site) -> None:
    counts = {"active": COUNT, "pending": COUNT}
    site.play("GET /conversations/tasks/queues/status").shows(
        200,
        {
            "queues": {"conversations": counts, "webhooks": counts, "analytics": counts},
            "timestamp": TIME,
        },
    )


def test_the_active_tasks_are_listed(site: Site) -> None:
    task = {
        "task_id": TASK_ID,
        "kind": TEXT,
        "queue": one_of("conversations", "webhooks", "analytics"),
        "status": "STARTED",
        "progress": PERCENT,
        "started_at": TIME,
    }
    site.play("GET /conversations/tasks/active").shows(
        200, {"active_tasks": Each(task), "total": COUNT, "timestamp": TIME}
    )


def test_a_task_is_cancelled_and_then_revoked(site: Site) -> None:
    task_id = later(site, "conversation.message", {"message": "I need help with this product"})
    site.play("POST /conversations/tasks/{task_id}/cancel", task_id=task_id).shows(
        200, {"task_id": task_id, "status": "REVOKED", "message": "Task cancelled"}
    )
    ended = {"task_id": task_id, "status": "REVOKED", "progress": 0, "result": None}
    site.play(STATUS, task_id=task_id).shows(200, ended)


def test_what_has_ended_is_not_cancelled(site: Site) -> None:
    task_id = cancelled(site, "conversation.message", {"message": "Never mind"})
    site.play("POST /conversations/tasks/{task_id}/cancel", task_id=task_id).shows(
        409, AtLeast({"status": 409, "title": TEXT})
    )


def test_a_permanent_failure_shows_as_failure_without_a_retry(site: Site) -> None:
    missing = site.play(
        """
POST /api/v1/tasks/
{"kind": "conversation.continue", "input": {"conversation_id": "nobody said a word"}}
        """
    ).shows(202, AtLeast({"task_id": TASK_ID}))
    task_id = missing["task_id"]
    failed = {"task_id": task_id, "status": "FAILURE", "progress": PERCENT, "result": None}
    site.play_until(STATUS, 200, failed, task_id=task_id)


def test_the_name_in_the_example_is_no_task_of_ours(site: Site) -> None:
    path = "/conversations/tasks/async_task_456/status"
    site.play(f"GET {path}").shows(404, not_found(path))
