from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings
from uuid_utils.compat import uuid7

from analysis.conversations import batch, rules, turns
from analysis.conversations.handler import handle_continue, handle_interaction, handle_message
from analysis.models import Conversation, Message, Platform, Role
from tasks import kinds, lifecycle
from tasks.errors import InvalidInput
from tasks.kinds import Context, FatalError, Snooze
from tasks.lifecycle.preparation import prepare
from tests.factories import make_context, make_task
from tests.fakes.openrouter import Fake
from tests.threads import in_threads

pytestmark = pytest.mark.django_db

HELP = "I need help with this product"


def context(*, owner: User | None = None, id: uuid.UUID | None = None, attempt: int = 1) -> Context:
    return make_context(
        task_id=id or uuid7(), attempt=attempt, owner_id=owner.pk if owner else None
    )


def say(text: str, name: str | None = "conv_1", *, owner: User | None = None) -> dict[str, Any]:
    return handle_message({"conversation_id": name, "message": text}, context(owner=owner))


def texts(name: str = "conv_1") -> list[tuple[str, str]]:
    messages = Message.objects.filter(conversation__external_id=name)
    return [(message.role, message.text) for message in messages.order_by("id")]


@pytest.mark.parametrize("name", ["message", "interaction", "continue"])
def test_the_kinds_that_answer_go_before_all_others(name: str) -> None:
    kind = kinds.get(f"conversation.{name}")
    assert (kind.queue, kind.priority) == ("conversations", 10)
    assert (kind.soft_time_limit, kind.time_limit) == (300, 600)
    assert not kind.transactional


@pytest.mark.parametrize(
    "given",
    [{}, {"message": " "}, {"message": 1}, {"message": "a" * 10_001}, {"message": "a", "x": 1},
     {"message": "a", "conversation_id": ""}, {"message": "a", "conversation_id": 7}],
)  # fmt: skip
def test_what_is_no_message_is_refused_at_the_door(given: Any) -> None:
    with pytest.raises(InvalidInput):
        kinds.get("conversation.message").validate(given)


def test_without_a_key_a_message_is_answered_by_rules_that_say_so() -> None:
    result = say(HELP)
    assert result["conversation_id"] == "conv_1"
    assert result["ai_response"].startswith("I'd be happy to help you with that product.")
    assert (result["provider"], result["model"]) == ("embedded", "rules")
    assert texts() == [("user", HELP), ("assistant", result["ai_response"])]


@pytest.mark.parametrize(
    ("said", "reply"),
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
def test_the_rules_take_up_what_was_said(said: str, reply: str) -> None:
    assert rules.reply([("user", said)]).startswith(reply)


def test_the_rules_do_not_say_the_same_twice_in_a_row() -> None:
    said: list[tuple[str, str]] = []
    for _ in range(3):
        said += [("user", "The weather is fine."), ("assistant", "")]
        said[-1] = ("assistant", rules.reply(said[:-1]))
    assert len({text for role, text in said if role == "assistant"}) == 3


def test_a_reply_remembers_what_was_said_before(provider: Fake) -> None:
    first = say("my name is Ada")
    second = say("what is my name")
    assert first["provider"] == "openrouter"
    assert second["ai_response"] != first["ai_response"]
    assert len(provider.calls) == 2
    history = turns.history(Conversation.objects.get(), until=None)
    assert [message.role for message in history] == ["user", "assistant"] * 2


def test_a_conversation_without_a_name_can_be_gone_on_with_by_its_id() -> None:
    first = say("Hello", None)
    assert first["conversation_id"] == str(Conversation.objects.get().pk)
    second = say("Thanks", first["conversation_id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert Conversation.objects.get().messages.count() == 4


def test_a_task_that_runs_again_says_nothing_twice(provider: Fake) -> None:
    same = uuid7()
    results = [
        handle_message({"message": "Hello"}, context(id=same, attempt=attempt))
        for attempt in (1, 2)
    ]
    assert results[0] == results[1]
    assert Message.objects.count() == 2
    assert Conversation.objects.get().pk == same
    assert len(provider.calls) == 1


def test_what_was_heard_before_a_failure_is_not_heard_again(provider: Fake) -> None:
    same = uuid7()
    provider.script.extend(["429"])
    with pytest.raises(Snooze):
        handle_message({"message": "Hello"}, context(id=same))
    assert Message.objects.get().role == Role.USER
    assert handle_message({"message": "Hello"}, context(id=same, attempt=2))["ai_response"]
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_messages_of_one_new_conversation_that_come_together_share_it() -> None:
    results = in_threads(6, lambda: say("Hello", "together"))
    assert {result["conversation_id"] for result in results} == {"together"}
    assert Conversation.objects.get().messages.count() == 12


@pytest.mark.django_db(transaction=True)
def test_two_runs_of_one_task_at_a_time_store_one_reply() -> None:
    same = uuid7()
    results = in_threads(6, lambda: handle_message({"message": "Hello"}, context(id=same)))
    assert len({str(result) for result in results}) == 1
    assert Message.objects.count() == 2


def test_replies_come_in_the_order_of_what_was_said(provider: Fake) -> None:
    earlier = make_task("PROCESSING", kind="conversation.message")
    provider.script.extend(["429"])
    with pytest.raises(Snooze):
        handle_message({"conversation_id": "c", "message": "First"}, context(id=earlier.pk))
    later = uuid7()

    def answer_later() -> dict[str, Any]:
        return handle_message({"conversation_id": "c", "message": "Second"}, context(id=later))

    with pytest.raises(Snooze, match="before"):
        answer_later()
    handle_message({"conversation_id": "c", "message": "First"}, context(id=earlier.pk))
    answer_later()
    assert [text for role, text in texts("c") if role == "user"] == ["First", "Second"]


@pytest.mark.django_db(transaction=True)
def test_many_slots_answer_one_conversation_in_its_order(run_tasks: Any) -> None:
    lifecycle.submit_many(
        [
            prepare("conversation.message", {"conversation_id": "c", "message": f"Fact {n}"})
            for n in range(8)
        ]
    )
    run_tasks(concurrency=4)
    said = Message.objects.order_by("id").values_list("role", "task_id")
    heard = [task for role, task in said if role == "user"]
    assert [task for role, task in said if role == "assistant"] == heard
    assert len(heard) == 8


@pytest.mark.parametrize("fields", [{"status": "FAILED"}, {"created_at": dt.timedelta(hours=1)}])
def test_what_will_not_be_answered_soon_holds_nobody_up(fields: dict[str, Any]) -> None:
    given = {"status": "PROCESSING", **fields}
    if "created_at" in given:
        given["created_at"] = timezone.now() - given["created_at"]
    earlier = make_task(**given, kind="conversation.message")
    conversation = turns.find_or_start("c", context())
    turns.hear(conversation, "First", context(id=earlier.pk))
    assert say("Second", "c")["ai_response"]


def test_nobody_reaches_the_conversation_of_another(user: User, stranger: User) -> None:
    mine = say("My secret is 42", owner=user)
    own = Conversation.objects.get()
    with pytest.raises(FatalError, match="no such conversation"):
        handle_continue({"conversation_id": str(own.pk)}, context(owner=stranger))
    for name in ("conv_1", str(own.pk)):
        say("What is the secret?", name, owner=stranger)
    assert own.messages.count() == 2
    assert mine["conversation_id"] == "conv_1"
    assert Conversation.objects.filter(owner=stranger).count() == 2


def test_a_name_is_one_conversation_of_an_owner_and_platform(user: User) -> None:
    Conversation.objects.create(owner=user, external_id="a")
    Conversation.objects.create(owner=None, external_id="a")
    Conversation.objects.create(owner=user, external_id="a", platform=Platform.FACEBOOK)
    Conversation.objects.create(owner=user)
    Conversation.objects.create(owner=user)
    for owner in (user, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            Conversation.objects.create(owner=owner, external_id="a")


def test_a_conversation_goes_on_with_a_message_or_without() -> None:
    say("Hello")
    went_on = handle_continue({"conversation_id": "conv_1", "message": HELP}, context())
    assert "that product" in went_on["ai_response"]
    taken_up = handle_continue({"conversation_id": "conv_1"}, context())
    assert taken_up["ai_response"] == "Are you still there? I am glad to go on whenever you are."
    assert [role for role, _ in texts()] == ["user", "assistant", "user", "assistant", "assistant"]


def test_the_model_is_told_when_nothing_was_answered(provider: Fake) -> None:
    say("Hello")
    assert handle_continue({"conversation_id": "conv_1"}, context())["provider"] == "openrouter"
    assert len(provider.calls) == 2


def test_a_conversation_that_is_not_there_cannot_go_on() -> None:
    with pytest.raises(FatalError):
        handle_continue({"conversation_id": "never"}, context())


def test_an_interaction_belongs_to_its_platform_and_asks_for_delivery_only_if_wanted() -> None:
    given = {"platform": "facebook", "sender": "7", "channel": "page", "message": "Hello"}
    quiet, loud = context(), context()
    handle_interaction(given, quiet)
    result = handle_interaction({**given, "respond": True}, loud)
    own = Conversation.objects.get()
    assert (own.platform, own.channel, own.external_id) == ("facebook", "page", "7")
    assert result["conversation_id"] == str(own.pk)
    assert quiet.follow_ups == []
    (follow_up,) = loud.follow_ups
    assert (follow_up.kind, follow_up.queue) == ("webhook.respond", "webhooks")
    assert follow_up.input == {"message_id": result["message_id"]}


def test_the_history_is_bounded_and_keeps_the_latest() -> None:
    own = Conversation.objects.create(external_id="long")
    for number in range(30):
        Message.objects.create(
            conversation=own, role=Role.USER, text=f"{number} " + "x" * 1_000, task_id=uuid7()
        )
    kept = turns.history(own, until=None)
    assert [message.text.split()[0] for message in kept] == [str(n) for n in range(19, 30)]
    huge = Message.objects.create(
        conversation=own, role=Role.USER, text="x" * 20_000, task_id=uuid7()
    )
    assert turns.history(own, until=None) == [huge]


def test_the_response_time_counts_from_the_submission() -> None:
    task = make_task("PROCESSING", created_at=timezone.now() - dt.timedelta(seconds=5))
    result = handle_message({"message": "Hello"}, context(id=task.pk))
    assert 5_000 <= result["response_ms"] < 60_000


def test_many_conversations_are_analysed_in_figures(user: User, settings: Settings) -> None:
    for number in range(3):
        say("The battery of my phone is empty, the battery!", f"c{number}", owner=user)
    say("Hello", "c0", owner=user)
    say("not mine", "other")
    unanswered = Conversation.objects.create(owner=user, platform="google", external_id="+1")
    Message.objects.create(
        conversation=unanswered, role=Role.USER, text="Anybody there?", task_id=uuid7()
    )
    watched = context(owner=user)
    result = batch.handle({}, watched)
    assert result["conversations_analyzed"] == 4
    assert result["messages"] == {"total": 9, "user": 5, "assistant": 4}
    assert result["by_platform"] == {"api": 3, "google": 1}
    assert (result["top_words"][0], result["top_counts"][0]) == ("battery", 6)
    assert result["unanswered"] == 1
    assert result["response_ms"]["count"] == 4
    assert {one["conversation_id"] for one in result["conversations"]} == {
        "c0", "c1", "c2", str(unanswered.pk),
    }  # fmt: skip
    assert watched.take_report() is not None


def test_the_conversations_to_analyse_can_be_chosen(user: User) -> None:
    for n in range(4):
        say("Hello", f"c{n}", owner=user)
    old = Conversation.objects.get(external_id="c0")
    Conversation.objects.filter(pk=old.pk).update(updated_at=timezone.now() - dt.timedelta(days=9))
    yesterday = (timezone.now() - dt.timedelta(days=1)).isoformat()

    def number(**given: Any) -> int:
        return int(batch.handle(given, context(owner=user))["conversations_analyzed"])

    assert number() == 4
    assert number(conversation_ids=["c1", str(old.pk), "unknown"]) == 2
    assert number(updated_after=yesterday) == 3
    assert number(updated_before=yesterday) == 1
    assert number(limit=2) == 2
    with pytest.raises(FatalError, match="updated_after"):
        number(updated_after="yesterday")
    nothing = batch.handle({}, context())
    assert (nothing["conversations_analyzed"], nothing["response_ms"]) == (0, None)
