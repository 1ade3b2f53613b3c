from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from analysis.conversations import rules, turns
from analysis.conversations.handler import handle_continue, handle_interaction, handle_message
from analysis.models import Conversation, Message, Platform, Role
from tasks import kinds, lifecycle
from tasks.errors import InvalidInput
from tasks.kinds import FatalError, Snooze
from tasks.lifecycle.preparation import prepare
from tests.analysis.conversations import context, say
from tests.factories import make_task
from tests.fakes.openrouter import Fake
from tests.threads import in_threads

pytestmark = pytest.mark.django_db

HELP = "I need help with this product"


def texts(name: str = "conv_1") -> list[tuple[str, str]]:
    """Return the roles and texts of a conversation."""
    messages = Message.objects.filter(conversation__external_id=name)
    return [(message.role, message.text) for message in messages.order_by("id")]


@pytest.mark.parametrize(
    "name", ["conversation.message", "conversation.interaction", "conversation.continue"]
)
def test_the_kinds_that_reply_have_the_highest_priority(name: str) -> None:
    kind = kinds.get(name)
    assert (kind.queue, kind.priority) == ("conversations", 10)
    assert (kind.soft_time_limit, kind.time_limit) == (300, 600)
    assert not kind.transactional


@pytest.mark.parametrize(
    "input",
    [{}, {"message": " "}, {"message": 1}, {"message": "a" * 10_001}, {"message": "a", "x": 1},
     {"message": "a", "conversation_id": ""}, {"message": "a", "conversation_id": 7}],
)  # fmt: skip
def test_invalid_messages_are_refused_at_submission(input: Any) -> None:
    with pytest.raises(InvalidInput):
        kinds.get("conversation.message").validate(input)


def test_without_a_key_the_reply_is_made_by_rules_and_the_result_says_so() -> None:
    result = say(HELP)
    assert result["conversation_id"] == "conv_1"
    assert result["ai_response"].startswith("I'd be happy to help you with that product.")
    assert (result["provider"], result["model"]) == ("embedded", "rules")
    assert texts() == [("user", HELP), ("assistant", result["ai_response"])]


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Hello!", "Hello! What can I do for you?"),
        ("hello, where is my parcel?", "I'd be happy to help you with your order."),
        ("I want a refund for my order", "I am sorry that it did not work out."),
        ("My printer is broken", "I am sorry to hear that."),
        ("Thanks a lot", "You are welcome."),
        ("Goodbye", "Goodbye"),
        ("Can I talk to a human?", "I am an automated assistant."),
        ("I have a question about my invoice from May.", "I'd be happy to help you with your in"),
        ("お元気ですか", "Thank you for telling me about that."),
    ],
)
def test_the_rules_reply_to_the_subject_of_a_message(message: str, reply: str) -> None:
    assert rules.next_reply([("user", message)]).startswith(reply)


def test_the_rules_do_not_repeat_a_reply() -> None:
    turns: list[tuple[str, str]] = []
    for _ in range(3):
        turns.append(("user", "The weather is fine."))
        turns.append(("assistant", rules.next_reply(turns)))
    assert len({text for role, text in turns if role == "assistant"}) == 3


def test_a_reply_takes_earlier_messages_into_account(provider: Fake) -> None:
    first = say("my name is Ada")
    second = say("what is my name")
    assert first["provider"] == "openrouter"
    assert second["ai_response"] != first["ai_response"]
    assert len(provider.calls) == 2
    history = turns.history(Conversation.objects.get(), until=None)
    assert [message.role for message in history] == ["user", "assistant"] * 2


def test_a_conversation_without_a_name_continues_by_its_id() -> None:
    first = say("Hello", None)
    assert first["conversation_id"] == str(Conversation.objects.get().pk)
    second = say("Thanks", first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert Conversation.objects.get().messages.count() == 4


def test_a_task_that_runs_twice_stores_one_message_and_one_reply(provider: Fake) -> None:
    task_id = uuid7()
    results = [
        handle_message({"message": "Hello"}, context(id=task_id, attempt=attempt))
        for attempt in (1, 2)
    ]
    assert results[0] == results[1]
    assert Message.objects.count() == 2
    assert Conversation.objects.get().pk == task_id
    assert len(provider.calls) == 1


def test_a_message_is_stored_once_when_its_first_attempt_fails(provider: Fake) -> None:
    task_id = uuid7()
    provider.script.extend(["429"])
    with pytest.raises(Snooze):
        handle_message({"message": "Hello"}, context(id=task_id))
    assert Message.objects.get().role == Role.USER
    assert handle_message({"message": "Hello"}, context(id=task_id, attempt=2))["ai_response"]
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_messages_to_a_new_conversation_create_it_once() -> None:
    results = in_threads(6, lambda: say("Hello", "together"))
    assert {result["conversation_id"] for result in results} == {"together"}
    assert Conversation.objects.get().messages.count() == 12


@pytest.mark.django_db(transaction=True)
def test_concurrent_runs_of_one_task_store_one_reply() -> None:
    task_id = uuid7()
    results = in_threads(6, lambda: handle_message({"message": "Hello"}, context(id=task_id)))
    assert len({str(result) for result in results}) == 1
    assert Message.objects.count() == 2


def test_replies_are_made_in_the_order_of_the_messages(provider: Fake) -> None:
    earlier = make_task("PROCESSING", kind="conversation.message")
    provider.script.extend(["429"])
    with pytest.raises(Snooze):
        handle_message({"conversation_id": "c", "message": "First"}, context(id=earlier.pk))
    later = uuid7()

    def answer_later() -> dict[str, Any]:
        return handle_message({"conversation_id": "c", "message": "Second"}, context(id=later))

    with pytest.raises(Snooze, match="earlier message"):
        answer_later()
    handle_message({"conversation_id": "c", "message": "First"}, context(id=earlier.pk))
    answer_later()
    assert [text for role, text in texts("c") if role == "user"] == ["First", "Second"]


@pytest.mark.django_db(transaction=True)
def test_replies_from_many_slots_keep_the_order_of_the_conversation(run_tasks: Any) -> None:
    lifecycle.submit_many(
        [
            prepare("conversation.message", {"conversation_id": "c", "message": f"Fact {n}"})
            for n in range(8)
        ]
    )
    run_tasks(concurrency=4)
    rows = Message.objects.order_by("id").values_list("role", "task_id")
    messages = [task_id for role, task_id in rows if role == "user"]
    replies = [task_id for role, task_id in rows if role == "assistant"]
    assert replies == messages
    assert len(messages) == 8


@pytest.mark.parametrize("fields", [{"status": "FAILED"}, {"created_at": dt.timedelta(hours=1)}])
def test_failed_and_old_messages_do_not_delay_the_next_reply(fields: dict[str, Any]) -> None:
    fields = {"status": "PROCESSING", **fields}
    if "created_at" in fields:
        fields["created_at"] = timezone.now() - fields["created_at"]
    earlier = make_task(**fields, kind="conversation.message")
    conversation = turns.find_or_start("c", context())
    turns.store_message(conversation, "First", context(id=earlier.pk))
    assert say("Second", "c")["ai_response"]


def test_an_owner_cannot_read_or_continue_the_conversation_of_another(
    user: User, stranger: User
) -> None:
    result = say("My secret is 42", owner=user)
    conversation = Conversation.objects.get()
    with pytest.raises(FatalError, match="no such conversation"):
        handle_continue({"conversation_id": str(conversation.pk)}, context(owner=stranger))
    for name in ("conv_1", str(conversation.pk)):
        say("What is the secret?", name, owner=stranger)
    assert conversation.messages.count() == 2
    assert result["conversation_id"] == "conv_1"
    assert Conversation.objects.filter(owner=stranger).count() == 2


def test_a_name_is_unique_for_an_owner_and_a_platform(user: User) -> None:
    Conversation.objects.create(owner=user, external_id="a")
    Conversation.objects.create(owner=None, external_id="a")
    Conversation.objects.create(owner=user, external_id="a", platform=Platform.FACEBOOK)
    Conversation.objects.create(owner=user)
    Conversation.objects.create(owner=user)
    for owner in (user, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            Conversation.objects.create(owner=owner, external_id="a")


def test_a_conversation_continues_with_or_without_a_message() -> None:
    say("Hello")
    with_message = handle_continue({"conversation_id": "conv_1", "message": HELP}, context())
    assert "that product" in with_message["ai_response"]
    without_message = handle_continue({"conversation_id": "conv_1"}, context())
    assert (
        without_message["ai_response"]
        == "Are you still there? I am glad to go on whenever you are."
    )
    assert [role for role, _ in texts()] == ["user", "assistant", "user", "assistant", "assistant"]


def test_the_model_continues_a_conversation_without_a_new_message(provider: Fake) -> None:
    say("Hello")
    assert handle_continue({"conversation_id": "conv_1"}, context())["provider"] == "openrouter"
    assert len(provider.calls) == 2


def test_an_unknown_conversation_cannot_be_continued() -> None:
    with pytest.raises(FatalError):
        handle_continue({"conversation_id": "never"}, context())


def test_an_interaction_submits_the_delivery_of_its_reply_only_with_respond() -> None:
    input = {"platform": "facebook", "sender": "7", "channel": "page", "message": "Hello"}
    without_respond, with_respond = context(), context()
    handle_interaction(input, without_respond)
    result = handle_interaction({**input, "respond": True}, with_respond)
    conversation = Conversation.objects.get()
    assert (conversation.platform, conversation.channel) == ("facebook", "page")
    assert conversation.external_id == "7"
    assert result["conversation_id"] == str(conversation.pk)
    assert without_respond.follow_ups == []
    (follow_up,) = with_respond.follow_ups
    assert (follow_up.kind, follow_up.queue) == ("webhook.respond", "webhooks")
    assert json.loads(follow_up.input) == {"message_id": result["message_id"]}


def test_the_history_is_limited_to_the_latest_messages() -> None:
    conversation = Conversation.objects.create(external_id="long")
    for number in range(30):
        Message.objects.create(
            conversation=conversation,
            role=Role.USER,
            text=f"{number} " + "x" * 1_000,
            task_id=uuid7(),
        )
    history = turns.history(conversation, until=None)
    assert [message.text.split()[0] for message in history] == [str(n) for n in range(19, 30)]
    huge = Message.objects.create(
        conversation=conversation, role=Role.USER, text="x" * 20_000, task_id=uuid7()
    )
    assert turns.history(conversation, until=None) == [huge]


def test_the_response_time_counts_from_the_submission() -> None:
    task = make_task("PROCESSING", created_at=timezone.now() - dt.timedelta(seconds=5))
    result = handle_message({"message": "Hello"}, context(id=task.pk))
    assert 5_000 <= result["response_ms"] < 60_000
