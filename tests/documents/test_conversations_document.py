"""Conversations: `/conversations/…`."""

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
from tests.waiting import wait_until

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


def test_a_message_can_be_queued_within_100_ms(site: Site) -> None:
    # Each begins its own conversation: within one, replies are made one after another.
    message = """
POST /conversations/message
{
    "message": "I need help with this product",
    "async_processing": true
}
    """

    def is_quick() -> bool:
        exchange = site.play(message)
        exchange.shows(202, PROCESSING)
        return exchange.milliseconds < 100

    # On a machine that is busy with other tests most requests are slower.
    wait_until(is_quick, what="a quick answer")


def test_the_status_of_a_message_finally_contains_the_reply(site: Site) -> None:
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


def test_a_poll_is_answered_in_every_state_of_the_task(site: Site) -> None:
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


def test_without_async_processing_the_response_contains_the_reply(site: Site) -> None:
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


def test_a_facebook_event_gets_a_reply(site: Site) -> None:
    accepted = site.play(
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
    site.play_until(STATUS, 200, done, task_id=accepted["task_id"])


def test_the_queue_status_counts_active_and_pending_tasks(site: Site) -> None:
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


def test_a_cancelled_task_is_revoked(site: Site) -> None:
    task_id = later(site, "conversation.message", {"message": "I need help with this product"})
    site.play("POST /conversations/tasks/{task_id}/cancel", task_id=task_id).shows(
        200, {"task_id": task_id, "status": "REVOKED", "message": "Task cancelled"}
    )
    ended = {"task_id": task_id, "status": "REVOKED", "progress": 0, "result": None}
    site.play(STATUS, task_id=task_id).shows(200, ended)


def test_an_ended_task_cannot_be_cancelled(site: Site) -> None:
    task_id = cancelled(site, "conversation.message", {"message": "Never mind"})
    site.play("POST /conversations/tasks/{task_id}/cancel", task_id=task_id).shows(
        409, AtLeast({"status": 409, "title": TEXT})
    )


def test_a_permanent_failure_is_shown_as_failure_without_a_retry(site: Site) -> None:
    accepted = site.play(
        """
POST /api/v1/tasks/
{"kind": "conversation.continue", "input": {"conversation_id": "no such conversation"}}
        """
    ).shows(202, AtLeast({"task_id": TASK_ID}))
    task_id = accepted["task_id"]
    failed = {"task_id": task_id, "status": "FAILURE", "progress": PERCENT, "result": None}
    site.play_until(STATUS, 200, failed, task_id=task_id)


def test_the_task_id_in_the_example_is_not_found(site: Site) -> None:
    path = "/conversations/tasks/async_task_456/status"
    site.play(f"GET {path}").shows(404, not_found(path))
