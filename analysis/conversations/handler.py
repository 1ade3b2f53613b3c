"""Kinds that reply: `conversation.message`, `.interaction` and `.continue`."""

from __future__ import annotations

from typing import Any

from analysis.conversations import turns
from analysis.conversations.replies import next_reply
from analysis.input_schema import input_schema
from analysis.models import Conversation, Message, Platform, Role
from tasks.kinds import Context, FatalError, Snooze

# How soon a reply that waits for an earlier one is tried again.
_TURN_SECONDS = 0.5
MESSAGE = {
    "type": "string",
    "pattern": r"\S",
    "maxLength": 10_000,
    "description": "The user's message.",
}
CONVERSATION_ID = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": 200,
    "description": "Your own name for the conversation, or its id; omit it to start a new one.",
}

MESSAGE_INPUT = input_schema(
    {"message": MESSAGE, "conversation_id": CONVERSATION_ID},
    required=["message"],
)

INTERACTION_INPUT = input_schema(
    {
        "platform": {"enum": [name for name in Platform.values if name != Platform.API]},
        "sender": {
            "type": "string",
            "maxLength": 200,
            "description": "The user's id on the platform.",
        },
        "channel": {
            "type": "string",
            "maxLength": 200,
            "description": "The page, agent or account that the user wrote to.",
        },
        "message": MESSAGE,
        "respond": {"type": "boolean", "description": "Send the reply to the platform."},
    },
    required=["platform", "message"],
)

CONTINUE_INPUT = input_schema(
    {
        "conversation_id": {**CONVERSATION_ID, "type": "string"},
        "message": {
            **MESSAGE,
            "description": "The user's message; without one, the assistant continues by itself.",
        },
    },
    required=["conversation_id"],
)


def handle_message(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Reply to a message, in the conversation that it names or in a new one."""
    conversation = turns.find_or_start(input.get("conversation_id") or "", context)
    reply = _reply(conversation, input["message"], context)
    return _result(conversation, reply)


def handle_interaction(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Reply to a message from a platform; with `respond`, a further task sends the reply there."""
    conversation = turns.find_or_start(
        input.get("sender", ""),
        context,
        platform=input["platform"],
        channel=input.get("channel", ""),
    )
    reply = _reply(conversation, input["message"], context)
    if input.get("respond") and reply.delivered_at is None:
        context.submit("webhook.respond", {"message_id": str(reply.pk)})
    return _result(conversation, reply)


def handle_continue(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Continue a conversation: reply to a message, or to the history if there is none."""
    conversation = turns.find(input["conversation_id"], owner_id=context.owner_id)
    if conversation is None:
        raise FatalError("There is no such conversation.")
    reply = _reply(conversation, input.get("message"), context)
    return _result(conversation, reply)


def _reply(conversation: Conversation, text: str | None, context: Context) -> Message:
    """Store the user's message and the reply to it; return what an earlier attempt stored.

    Replies are made in the order of the messages, and each takes the earlier ones into account.
    """
    message = turns.store_message(conversation, text, context) if text else None
    if stored := turns.stored_message(context.task_id, Role.ASSISTANT):
        return stored
    if message and turns.waits_for_earlier_reply(message):
        reason = "Waiting: an earlier message of the conversation is still being answered."
        raise Snooze(_TURN_SECONDS, reason)
    context.check()
    history = turns.history(conversation, until=message)
    reply = next_reply(turns.as_turns(history), context)
    return turns.store_reply(conversation, message, reply, context)


def _result(conversation: Conversation, reply: Message) -> dict[str, Any]:
    return {
        "conversation_id": conversation.public_id,
        "ai_response": reply.text,
        "provider": reply.provider,
        "model": reply.model,
        "message_id": str(reply.pk),
        "response_ms": reply.response_ms,
    }
