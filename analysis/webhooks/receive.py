"""The kinds `webhook.facebook`, `.google` and `.generic`: each message is answered by a task."""

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

# In order, so that two tasks with the same events do not wait for each other.
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

    An event that was told of before begins nothing, but is named with the task that answers it.
    """

    def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
        try:
            events = platform.events(input["payload"])
        except UnknownShape as error:
            raise FatalError(str(error)) from None
        found = {event.id or f"{context.task_id}:{n}": event for n, event in enumerate(events)}
        fresh = _remember(list(found), platform=platform.name, owner_id=context.owner_id)
        respond = platform.can_respond and may_respond(context.owner_id)
        for id in fresh:
            started = context.submit(
                "conversation.interaction", _interaction(found[id], platform.name, respond)
            )
            _known(platform.name, context).filter(event_id=id).update(task_id=started)
        answered_by = dict(
            _known(platform.name, context)
            .filter(event_id__in=list(found))
            .values_list("event_id", "task_id")
        )
        return {
            "platform": platform.name,
            "events": len(found),
            "duplicates": len(found) - len(fresh),
            "tasks": [str(answered_by[id]) for id in found if answered_by.get(id)],
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
    """Store which events were told of; return those that were not before, in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, {"owner": owner_id, "platform": platform, "ids": list(ids)})
        new = {event_id for (event_id,) in cursor.fetchall()}
    return [id for id in ids if id in new]


def _known(platform: str, context: Context) -> Any:
    return WebhookEvent.objects.filter(owner_id=context.owner_id, platform=platform)
