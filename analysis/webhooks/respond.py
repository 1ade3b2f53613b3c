"""Kind `webhook.respond`: sends a reply to the platform of its conversation."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from analysis.input_schema import input_schema
from analysis.models import Message, Role
from analysis.webhooks.contract import WebhookPlatform
from analysis.webhooks.delivery import DeliveryStatus, Unanswered, post
from analysis.webhooks.platforms import PLATFORMS, may_respond
from tasks.kinds import Context, FatalError, Retry, RetryPolicy

# Seconds: the last attempt is two to four hours after the first, within the 24 hours that
# Facebook allows for a reply.
SCHEDULE = RetryPolicy(max_retries=12, delay=5.0, cap=3_600.0)
_LONGEST_DELAY = 3_600.0

INPUT = input_schema(
    {"message_id": {"type": "string", "format": "uuid", "description": "The id of a reply."}},
    required=["message_id"],
)


def respond(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Send a reply to its platform, unless it was delivered before.

    It arrives twice only when the answer to a request was lost, and then only on Facebook: the
    others recognise a repeated message by its id.
    """
    message = _message(input["message_id"], context)
    if message.delivered_at is None:
        _deliver(message, PLATFORMS[message.conversation.platform], context)
    return {
        "platform": message.conversation.platform,
        "conversation_id": message.conversation.public_id,
        "delivered_at": message.delivered_at and message.delivered_at.isoformat(),
    }


def _message(id: str, context: Context) -> Message:
    replies = Message.objects.select_related("conversation").filter(
        pk=id, role=Role.ASSISTANT, conversation__owner_id=context.owner_id
    )
    message = replies.first()
    if message is None or message.conversation.platform not in PLATFORMS:
        raise FatalError("There is no such reply.")
    if not message.conversation.external_id:
        raise FatalError("The conversation has no recipient on its platform.")
    if not may_respond(context.owner_id):
        raise FatalError("Only operators may send to a platform.")
    return message


def _deliver(message: Message, platform: WebhookPlatform, context: Context) -> None:
    if not platform.can_respond:
        raise FatalError(f"{platform.response_setting} is not set.")
    try:
        answer = post(platform.delivery(message), context)
    except Unanswered as error:
        raise Retry(None, str(error)) from None
    error_text = f"The platform answered {answer.status}."
    match platform.delivery_status(answer):
        case DeliveryStatus.LATER:
            delay = answer.retry_after and max(
                min(answer.retry_after, _LONGEST_DELAY), SCHEDULE.next_delay(context.attempt)
            )
            raise Retry(delay, error_text)
        case DeliveryStatus.REFUSED:
            raise FatalError(error_text)
    message.delivered_at = timezone.now()
    # At once: if this worker dies before it finishes the task, the next one reads it.
    message.save(update_fields=["delivered_at"])
