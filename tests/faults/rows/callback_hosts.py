"""Callbacks to a dead host beside healthy ones, and what a receiver can verify: R54, R55."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import time
import uuid
from collections.abc import Sequence

from django.test import override_settings
from standardwebhooks import Webhook, WebhookVerificationError

from tasks import lifecycle
from tasks.callbacks.signing import secrets_of, signed_headers
from tasks.models import Attempt, Status, Task
from tests.callbacks.receiver import Received, Receiver, receiver
from tests.faults.harness.callbacks import KIND, start_senders, tell, wait_until_told
from tests.faults.harness.durations import percentile
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

DEAD = 5_000
HEALTHY = 200
# Long enough for what was put off to come back.
BESIDE_SECONDS = 60.0
LARGEST_FACTOR = 2.0
OLD, NEW = "an old secret", "a new secret"
# https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries
PUBLISHED_AT = dt.datetime.fromtimestamp(1614265330, tz=dt.UTC)
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@row(
    "R54",
    title=f"{DEAD:,} callbacks to a host that does not answer, beside healthy ones",
    promise="nobody waits for another's receiver",
    target=f"p95 of the healthy ones ≤ {LARGEST_FACTOR:g} × that without",
    limit=600,
)
def dead_host(system: System, dice: Dice) -> Measured:
    """Time callbacks to a healthy host alone, and beside thousands to one that is silent."""
    size = DEAD // 5 if system.quick else DEAD
    with receiver() as healthy, receiver() as dead:
        start_senders(system, processes=2)
        _latency(system, healthy)
        alone = _latency(system, healthy)
        tell(system, dead.url("/silent"), size)
        callbacks = Task.objects.filter(kind=KIND).exclude(status=Status.COMPLETED)
        # Until then what they tell of, which is the same owner's, is itself waited for.
        wait_until(lambda: callbacks.count() == size, within=120, what="their tasks have ended")
        beside = _latency(system, healthy, during=BESIDE_SECONDS)
        tried = Attempt.objects.filter(task__kind=KIND).count()
        still = Task.objects.filter(kind=KIND, status=Status.PENDING).count()
        _cancel_callbacks(system)
        called = len(dead.received)
    return Measured(
        f"p95 of healthy callbacks {alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms for a "
        f"minute beside {size:,} to a dead host ({beside / alone:.1f} ×), which was called "
        f"{called} times while {tried:,} of its attempts ended; {still:,} were to be tried again",
        met=beside <= LARGEST_FACTOR * alone,
    )


@row(
    "R55",
    title="published vectors, callbacks under two secrets while they change, tampered ones",
    promise="verified or denied",
    target="100 %",
    limit=120,
)
def signatures(system: System, dice: Dice) -> Measured:
    """Have the library of Standard Webhooks judge what real workers sent, and forgeries of it."""
    published = signed_headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body='{"test": 2432232314}',
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        now=PUBLISHED_AT,
    )
    vector = published["webhook-signature"] == PUBLISHED
    with receiver() as one:
        start_senders(system, CALLBACK_SECRET=f"{NEW},{OLD}")
        tell(system, one.url("/200"), 100)
        wait_until_told(system)
        came = list(one.received)
    secrets = [*_secrets(NEW), *_secrets(OLD)]
    exact = [one.headers["webhook-signature"] == _signature(one, secrets) for one in came]
    good = [_is_ours(secret, one.body, one.headers) for one in came for secret in secrets]
    others = [_is_ours(_secrets("another")[0], one.body, one.headers) for one in came]
    forged = [_is_ours(secret, *bad) for one in came for bad in _forged(one) for secret in secrets]
    return Measured(
        f"published vector {'met' if vector else 'MISSED'}; {len(came)} callbacks: {sum(exact)} "
        f"signed as the specification computes it, "
        f"{sum(good)} of {len(good)} verified under the new and the old secret, {sum(others)} of "
        f"{len(others)} under another; {sum(forged)} of {len(forged)} forgeries verified",
        met=len(came) == 100 and vector and all(exact + good) and not any(others + forged),
    )


def _latency(system: System, healthy: Receiver, *, during: float = 0.0) -> float:
    """Return the p95 of the seconds from a task's end to its callback's."""
    ids: set[str] = set()
    end = time.monotonic() + during
    while len(ids) < HEALTHY or time.monotonic() < end:
        ids |= set(map(str, tell(system, healthy.url("/200"), 1)))
        time.sleep(0.02)

    def told() -> list[Task]:
        done = Task.objects.filter(kind=KIND, status=Status.COMPLETED)
        found = [one for one in done if one.input["task_id"] in ids]
        return found if len(found) == len(ids) else []

    found = wait_until(told, within=240, what="all told")
    waits = [one.finished_at - one.created_at for one in found if one.finished_at]
    return percentile(sorted(wait.total_seconds() for wait in waits), 95)


def _cancel_callbacks(system: System) -> None:
    left = Task.objects.filter(kind=KIND, status__in=(Status.PENDING, Status.PROCESSING))

    def none_left() -> bool:
        # More may have come than there were at first: a task that ends meanwhile brings one.
        return not lifecycle.cancel_many(list(left.values_list("pk", flat=True)))

    wait_until(none_left, within=60, what="all cancelled")


def _secrets(secret: str) -> list[str]:
    with override_settings(CALLBACK_SECRETS=[secret]):
        return secrets_of(None)


def _is_ours(secret: str, body: str, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def _forged(came: Received) -> Sequence[tuple[str, dict[str, str]]]:
    """Return it with another body, id, time, an old time, and another signature."""
    then = int(came.headers["webhook-timestamp"])
    return [
        (came.body.replace("COMPLETED", "FAILED"), came.headers),
        (came.body + " ", came.headers),
        (came.body, {**came.headers, "webhook-id": str(uuid.uuid4())}),
        (came.body, {**came.headers, "webhook-timestamp": str(then + 1)}),
        (came.body, {**came.headers, "webhook-timestamp": str(then - 3600)}),
        (came.body, {**came.headers, "webhook-signature": "v1,AAAA"}),
    ]


def _signature(came: Received, secrets: Sequence[str]) -> str:
    """Compute the header as the specification says, without its library."""
    signed = f"{came.id}.{came.headers['webhook-timestamp']}.{came.body}".encode()
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    found = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys]
    return " ".join(f"v1,{one}" for one in found)
