"""Kinds `webhook.facebook`, `.google` and `.generic`: each message in an event starts a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from analysis.input_schema import input_schema
from analysis.models import WebhookEvent
from analysis.webhooks.contract import WebhookPlatform
from analysis.webhooks.event import Event, UnknownShape
from analysis.webhooks.platforms import may_respond
from tasks.kinds import Context, FatalError

Handler = Callable[[dict[str, Any], Context], dict[str, Any]]

# Sorted, so that two tasks with the same events do not deadlock.
_REMEMBER = """
INSERT INTO analysis_webhookevent (owner_id, platform, event_id, received_at)
SELECT %(owner)s, %(platform)s, event_id, now() FROM unnest(%(ids)s::text[]) AS event_id
ORDER BY event_id
ON CONFLICT DO NOTHING
RETURNING event_id
"""


def input_of(platform: WebhookPlatform) -> dict[str, Any]:
    """Return the schema of a platform's events."""
    return input_schema({"payload": platform.payload}, required=["payload"])


def receiver(platform: WebhookPlatform) -> Handler:
    """Return the handler of a platform's events; to be run in a transaction with its finish.

    An event that was received before starts nothing; the result names the task that it started.
    """

    def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
        try:
            messages = platform.events(input["payload"])
        except UnknownShape as error:
            raise FatalError(str(error)) from None
        events = {event.id or f"{context.task_id}:{n}": event for n, event in enumerate(messages)}
        new_ids = _remember(list(events), platform=platform.name, owner_id=context.owner_id)
        respond = platform.can_respond and may_respond(context.owner_id)
        stored = WebhookEvent.objects.filter(owner_id=context.owner_id, platform=platform.name)
        for id in new_ids:
            task_id = context.submit(
                "conversation.interaction", _interaction(events[id], platform.name, respond)
            )
            stored.filter(event_id=id).update(task_id=task_id)
        rows = stored.filter(event_id__in=list(events)).values_list("event_id", "task_id")
        task_ids = dict(rows)
        return {
            "platform": platform.name,
            "events": len(events),
            "duplicates": len(events) - len(new_ids),
            "tasks": [str(task_ids[id]) for id in events if task_ids.get(id)],
        }

    return handle


def _interaction(event: Event, platform: str, respond: bool) -> dict[str, Any]:
    return {
        "platform": platform,
        "sender": event.sender,
        "channel": event.channel,
        "message": event.text,
        "respond": respond and bool(event.sender),
    }


def _remember(ids: Sequence[str], *, platform: str, owner_id: int | None) -> list[str]:
    """Store the ids of events; return those that were not stored before, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, {"owner": owner_id, "platform": platform, "ids": list(ids)})
        new = {event_id for (event_id,) in cursor.fetchall()}
    return [id for id in ids if id in new]
