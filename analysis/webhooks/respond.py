"""The kind `webhook.respond`: takes a reply to the platform where the conversation is held."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from analysis.input_schema import input_schema
from analysis.models import Message, Role
from analysis.webhooks.contract import WebhookPlatform
from analysis.webhooks.delivery import Unanswered, Verdict, post
from analysis.webhooks.platforms import PLATFORMS, may_respond
from tasks.kinds import Context, FatalError, Retry, RetryPolicy

# Seconds: the last try is two to four hours after the first, within Messenger's day for answers.
SCHEDULE = RetryPolicy(max_retries=12, delay=5.0, cap=3_600.0)
_LONGEST_PAUSE = 3_600.0

INPUT = input_schema(
    {"message_id": {"type": "string", "format": "uuid", "description": "A reply of ours."}},
    required=["message_id"],
)


def respond(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Send a reply to its platform, unless it is known to have arrived.

    It arrives twice only when the answer to a call was lost, and then only on Facebook: the others
    know a repeated message by its id.
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
    wanted = Message.objects.select_related("conversation").filter(
        pk=id, role=Role.ASSISTANT, conversation__owner_id=context.owner_id
    )
    message = wanted.first()
    if message is None or message.conversation.platform not in PLATFORMS:
        raise FatalError("There is no such reply.")
    if not message.conversation.external_id:
        raise FatalError("Nobody knows whom the reply is for.")
    if not may_respond(context.owner_id):
        raise FatalError("Only operators may send to a platform.")
    return message


def _deliver(message: Message, platform: WebhookPlatform, context: Context) -> None:
    if not platform.can_respond:
        raise FatalError(f"{platform.response_setting} is not set.")
    try:
        answer = post(platform.letter(message), context)
    except Unanswered as error:
        raise Retry(None, str(error)) from None
    said = f"The platform answered {answer.status}."
    match platform.verdict(answer):
        case Verdict.LATER:
            pause = answer.pause and max(
                min(answer.pause, _LONGEST_PAUSE), SCHEDULE.next_delay(context.attempt)
            )
            raise Retry(pause, said)
        case Verdict.REFUSED:
            raise FatalError(said)
    message.delivered_at = timezone.now()
    # At once: when this worker dies before its task is finished, the next one sees it.
    message.save(update_fields=["delivered_at"])
