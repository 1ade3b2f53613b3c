from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from uuid_utils.compat import uuid7

from analysis.conversations import batch
from analysis.conversations.handler import handle_message
from analysis.models import Conversation
from tasks.models import Status, Task
from tests.factories import make_context, make_task

pytestmark = pytest.mark.django_db


def page_of(client: Client, task: Task) -> str:
    """Return the page of a task."""
    return client.get(reverse("tasks-ui:task-detail", args=[task.pk])).content.decode()


def make_answered(text: str) -> Task:
    """Reply to a message; return its task."""
    id = uuid7()
    input = {"conversation_id": "conv_1", "message": text}
    result = handle_message(input, make_context(task_id=id))
    return make_task(
        Status.COMPLETED, id=id, kind="conversation.message", input=input, result=result
    )


def test_a_reply_is_shown_at_the_end_of_its_conversation(client: Client) -> None:
    make_answered("Hello")
    page = page_of(client, task := make_answered("<b>Thanks</b>"))
    places = [
        page.index(text) for text in ("Hello! What can I do", "&lt;b&gt;Thanks", "You are wel")
    ]
    assert places == sorted(places)
    assert page.count('class="assistant this"') == 1
    assert "rules, without a model" in page
    # Also when the conversation is deleted.
    Conversation.objects.all().delete()
    assert "&lt;b&gt;Thanks" in page_of(client, task)


@pytest.mark.parametrize(
    ("kind", "result", "text"),
    [
        (
            "webhook.generic",
            {"events": 3, "duplicates": 1, "tasks": [str(uuid7())]},
            "Already received",
        ),
        (
            "webhook.respond",
            {"platform": "google", "conversation_id": "c", "delivered_at": "2026-01-01T00:00:00Z"},
            "2026-01-01T00:00:00 UTC",
        ),
    ],
)
def test_received_events_and_delivered_replies_are_shown(
    client: Client, kind: str, result: Any, text: str
) -> None:
    assert text in page_of(client, make_task(Status.COMPLETED, kind=kind, result=result))


def test_the_page_of_a_batch_analysis_shows_its_words_and_conversations(client: Client) -> None:
    make_answered("The battery of my phone is empty")
    context = make_context()
    result = batch.handle({}, context)
    page = page_of(
        client,
        make_task(Status.COMPLETED, kind="conversation.batch_analysis", result=result),
    )
    assert "battery" in page
    assert "conv_1" in page


@pytest.mark.parametrize("name", ["chat.css", "report.css"])
def test_the_style_sheets_in_the_folders_of_kinds_are_served(client: Client, name: str) -> None:
    response = client.get(f"/static/analysis/{name}")
    assert response.status_code == 200
    assert response.getvalue()
    response.close()
