"""The kinds that answer: `conversation.message`, `.interaction` and `.continue`."""

from __future__ import annotations

from typing import Any

from analysis.conversations import turns
from analysis.conversations.replies import reply
from analysis.input_schema import input_schema
from analysis.models import Conversation, Message, Platform, Role
from tasks.kinds import Context, FatalError, Snooze

# How soon a reply that is not due yet is looked at again.
_TURN_SECONDS = 0.5
MESSAGE = {
    "type": "string",
    "pattern": r"\S",
    "maxLength": 10_000,
    "description": "What the user says.",
}
CONVERSATION_ID = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": 200,
    "description": "A name of yours, or the id of a conversation; a new one when not given.",
}

MESSAGE_INPUT = input_schema(
    {"message": MESSAGE, "conversation_id": CONVERSATION_ID},
    required=["message"],
)

INTERACTION_INPUT = input_schema(
    {
        "platform": {"enum": [one for one in Platform.values if one != Platform.API]},
        "sender": {"type": "string", "maxLength": 200, "description": "Who says it."},
        "channel": {"type": "string", "maxLength": 200, "description": "Whom they say it to."},
        "message": MESSAGE,
        "respond": {"type": "boolean", "description": "Send the reply to the platform."},
    },
    required=["platform", "message"],
)

CONTINUE_INPUT = input_schema(
    {
        "conversation_id": {**CONVERSATION_ID, "type": "string"},
        "message": {**MESSAGE, "description": "What the user says, if anything."},
    },
    required=["conversation_id"],
)


def handle_message(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answer a message, in the conversation that it names or in a new one."""
    conversation = turns.find_or_start(input.get("conversation_id") or "", context)
    said = _answer(conversation, input["message"], context)
    return _result(conversation, said)


def handle_interaction(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Answer a message that came from a platform, and have the reply sent there if wanted."""
    conversation = turns.find_or_start(
        input.get("sender", ""),
        context,
        platform=input["platform"],
        channel=input.get("channel", ""),
    )
    said = _answer(conversation, input["message"], context)
    if input.get("respond") and said.delivered_at is None:
        context.submit("webhook.respond", {"message_id": str(said.pk)})
    return _result(conversation, said)


def handle_continue(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Go on with a conversation: answer a message, or take up the thread where there is none."""
    conversation = turns.find(input["conversation_id"], owner_id=context.owner_id)
    if conversation is None:
        raise FatalError("There is no such conversation.")
    said = _answer(conversation, input.get("message"), context)
    return _result(conversation, said)


def _answer(conversation: Conversation, text: str | None, context: Context) -> Message:
    """Store what was said and the reply to it; a repeated attempt finds what is there.

    Replies come in the order of what was said, and each knows of those before it.
    """
    heard = turns.hear(conversation, text, context) if text else None
    if said := turns.said_by(context.task_id, Role.ASSISTANT):
        return said
    if heard and turns.is_early(heard):
        raise Snooze(_TURN_SECONDS, "Something said before is being answered.")
    context.check()
    before = turns.history(conversation, until=heard)
    answer = reply(turns.spoken(before), context)
    return turns.reply_to(conversation, heard, answer, context)


def _result(conversation: Conversation, said: Message) -> dict[str, Any]:
    return {
        "conversation_id": conversation.public_id,
        "ai_response": said.text,
        "provider": said.provider,
        "model": said.model,
        "message_id": str(said.pk),
        "response_ms": said.response_ms,
    }
