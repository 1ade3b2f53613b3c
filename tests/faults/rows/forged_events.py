"""Forged and repeated events of the platforms: S23."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tasks.models import Status, Task
from tests.fakes import platform_events as events
from tests.fakes.forgeries import FORGERIES
from tests.fakes.platform_events import SignedEvent
from tests.fakes.webhook_platform import Fake
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System

ROUNDS = 10
# How often each forgery is sent.
COPIES = 3
SENDERS = 8
# Longer than the ids of events are remembered.
OLD = 40 * 86_400.0

# An event, and the status that it must be answered with.
Expected = tuple[SignedEvent, int]


@row(
    "S23",
    title=f"{len(FORGERIES)} ways to forge or repeat a delivery of Facebook, Google or a sender "
    f"of Standard Webhooks, {COPIES} times each, beside the genuine one; deliveries of "
    "40 days ago",
    promise="only verified bytes act, once",
    target="forged tasks 0, lost 0, replies = genuine messages",
    limit=300,
)
def forged_events(system: System, dice: Dice) -> Measured:
    """Send genuine, forged and old events in a random order, and count what they start."""
    rounds = 1 if system.quick else ROUNDS
    with Fake() as fake:
        environment = fake.environment()
        fake.target = system.web(**environment).url
        system.workers(processes=2, concurrency=4, queues=(), registered=True, **environment)
        genuine, others = _deliveries(rounds)
        deliveries = genuine + others
        dice.shuffle(deliveries)
        with ThreadPoolExecutor(SENDERS) as senders:
            answers = list(senders.map(lambda delivery: fake.send(delivery[0]), deliveries))
        system.accepted.add([body["task_id"] for status, body in answers if status == 200])
        system.wait_until_ended(within=200)
        replies = Counter(call["to"] for call in fake.replies)
    wrong = sum(
        status != expected for (status, _), (_, expected) in zip(answers, deliveries, strict=True)
    )
    expected = Counter(_sender(number) for number in range(len(genuine)))
    started = Counter(
        task.input["sender"] for task in Task.objects.filter(kind="conversation.interaction")
    )
    forged, lost, failed = started - expected, expected - started, system.count(Status.FAILED)
    return Measured(
        f"{len(genuine)} genuine messages beside {len(others)} forged, repeated or old deliveries: "
        f"{wrong} answered otherwise than expected; forged or doubled tasks {forged.total()}, "
        f"genuine messages lost {lost.total()}, failed tasks {failed}; {replies.total()} replies",
        met=not wrong and not failed and started == expected == replies,
    )


def _deliveries(rounds: int) -> tuple[list[Expected], list[Expected]]:
    """Return one genuine event for each forgery, and the forgeries of it with old events."""
    genuine: list[Expected] = []
    others: list[Expected] = []
    for forgery in FORGERIES * rounds:
        event = events.message(forgery.platform, "Genuine", sender=_sender(len(genuine)))
        genuine.append((event, 200))
        others += [(forgery.of(event), forgery.status)] * COPIES
    long_ago = time.time() - OLD
    for platform, status in (("facebook", 200), ("google", 200), ("generic", 401)):
        old = events.message(platform, "Old", sender="666", at=long_ago)
        others += [(old, status)] * COPIES
    return genuine, others


def _sender(number: int) -> str:
    """Return the sender of a genuine message: a telephone number, for all platforms."""
    return f"+1222{number:07}"
