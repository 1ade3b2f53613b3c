"""Kinds `webhook.facebook`, `.google` and `.generic`: each message in an event starts a task."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection

from analysis.input_schema import input_schema
from analysis.models import WebhookEvent
from analysis.models.webhook_event import EVENTS_KEPT
from analysis.webhooks.contract import WebhookPlatform
from analysis.webhooks.event import Event, UnknownShape
from analysis.webhooks.platforms import may_respond
from tasks import sql
from tasks.kinds import Context, FatalError

Handler = Callable[[dict[str, Any], Context], dict[str, Any]]

_DELIVERY = {
    "type": "string",
    "maxLength": 100,
    "description": "Identifies a signed delivery, and its events where they have no id.",
}

# A signed event is ignored when it is so old that the clean-up may have deleted its id: otherwise
# it could be repeated for as long as the secret lasts. The day is for clean-ups in progress.
_OLDEST = EVENTS_KEPT - dt.timedelta(days=1)

# Sorted, so that two tasks with the same events do not deadlock. An event whose own time is ahead
# is kept until that time is as old as all others are then.
_REMEMBER = """
INSERT INTO analysis_webhookevent (owner_id, platform, event_id, received_at)
SELECT %(owner)s, %(platform)s, event_id, greatest(now(), sent_at)
FROM unnest(%(ids)s::text[], %(times)s::timestamptz[]) AS event (event_id, sent_at)
ORDER BY event_id
ON CONFLICT DO NOTHING
RETURNING event_id
"""


def input_of(platform: WebhookPlatform) -> dict[str, Any]:
    """Return the schema of a platform's events."""
    return input_schema({"payload": platform.payload, "delivery": _DELIVERY}, required=["payload"])


def receiver(platform: WebhookPlatform) -> Handler:
    """Return the handler of a platform's events; to be run in a transaction with its finish.

    An event that was received before starts nothing; the result names the task that it started.
    An event that is too old to know that starts nothing either, if a signed delivery brought it.
    """

    def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
        try:
            messages = platform.events(input["payload"])
        except UnknownShape as error:
            raise FatalError(str(error)) from None
        delivery = input.get("delivery")
        prefix = delivery or context.task_id
        received = {event.id or f"{prefix}:{n}": event for n, event in enumerate(messages)}
        events = _current(received) if delivery else received
        new_ids = _remember(events, platform=platform.name, owner_id=context.owner_id)
        respond = platform.can_respond and may_respond(context.owner_id)
        stored = WebhookEvent.objects.filter(owner_id=context.owner_id, platform=platform.name)
        for id in new_ids:
            context.check()
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
            "expired": len(received) - len(events),
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


def _current(events: Mapping[str, Event]) -> dict[str, Event]:
    """Return the events that are not too old; those without a time are not."""
    oldest = sql.database_now() - _OLDEST
    return {
        id: event for id, event in events.items() if event.sent_at is None or event.sent_at > oldest
    }


def _remember(events: Mapping[str, Event], *, platform: str, owner_id: int | None) -> list[str]:
    """Store the ids of events; return those that were not stored before, in their order."""
    params = {
        "owner": owner_id,
        "platform": platform,
        "ids": list(events),
        "times": [event.sent_at for event in events.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, params)
        new = {event_id for (event_id,) in cursor.fetchall()}
    return [id for id in events if id in new]
