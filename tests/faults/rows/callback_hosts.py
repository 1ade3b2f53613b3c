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
from tests.faults.harness.callbacks import (
    KIND,
    start_senders,
    submit_with_callback,
    wait_until_callbacks_end,
)
from tests.faults.harness.durations import percentile
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

DEAD = 5_000
HEALTHY = 200
# Long enough for postponed callbacks to become due again.
BESIDE_SECONDS = 60.0
LARGEST_FACTOR = 2.0
OLD, NEW = "an old secret of 0123456789 abcdef", "a new secret of 0123456789 abcdef"
# https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries
PUBLISHED_AT = dt.datetime.fromtimestamp(1614265330, tz=dt.UTC)
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@row(
    "R54",
    title=f"{DEAD:,} callbacks to a host that does not answer, beside healthy ones",
    promise="a dead receiver delays no other receiver",
    target=f"p95 of the healthy ones ≤ {LARGEST_FACTOR:g} × without the dead host",
    limit=600,
)
def dead_host(system: System, dice: Dice) -> Measured:
    """Time callbacks to a healthy host alone, and beside thousands to a silent one."""
    size = DEAD // 5 if system.quick else DEAD
    with receiver() as healthy, receiver() as dead:
        start_senders(system, processes=2)
        _latency(system, healthy)
        alone = _latency(system, healthy)
        submit_with_callback(system, dead.url("/silent"), size)
        callbacks = Task.objects.filter(kind=KIND).exclude(status=Status.COMPLETED)
        # Until their tasks have ended, these compete with the measured ones of the same owner.
        wait_until(lambda: callbacks.count() == size, within=120, what="their tasks have ended")
        beside = _latency(system, healthy, during=BESIDE_SECONDS)
        attempts = Attempt.objects.filter(task__kind=KIND).count()
        pending = Task.objects.filter(kind=KIND, status=Status.PENDING).count()
        _cancel_callbacks(system)
        called = len(dead.received)
    return Measured(
        f"p95 of healthy callbacks {alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms for a "
        f"minute beside {size:,} to a dead host ({beside / alone:.1f} ×), which was called "
        f"{called} times while {attempts:,} of its attempts ended; {pending:,} were to be retried",
        met=beside <= LARGEST_FACTOR * alone,
    )


@row(
    "R55",
    title="a published vector, callbacks signed with the old and new secret, forgeries",
    promise="genuine callbacks verify, forged ones do not",
    target="100 %",
    limit=120,
)
def signatures(system: System, dice: Dice) -> Measured:
    """Verify real callbacks, and forgeries of them, with the library of Standard Webhooks."""
    published = signed_headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body='{"test": 2432232314}',
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        now=PUBLISHED_AT,
    )
    vector = published["webhook-signature"] == PUBLISHED
    with receiver() as target:
        start_senders(system, CALLBACK_SECRET=f"{NEW},{OLD}")
        submit_with_callback(system, target.url("/200"), 100)
        wait_until_callbacks_end(system)
        requests = list(target.received)
    secrets = [*_secrets(NEW), *_secrets(OLD)]
    exact = [
        request.headers["webhook-signature"] == _signature(request, secrets) for request in requests
    ]
    good = [
        _verifies(secret, request.body, request.headers)
        for request in requests
        for secret in secrets
    ]
    other_secret = _secrets("another")[0]
    others = [_verifies(other_secret, request.body, request.headers) for request in requests]
    forgeries = [forgery for request in requests for forgery in _forged(request)]
    forged = [_verifies(secret, *forgery) for forgery in forgeries for secret in secrets]
    return Measured(
        f"published vector {'met' if vector else 'MISSED'}; {len(requests)} callbacks: "
        f"{sum(exact)} signed as the specification computes it, "
        f"{sum(good)} of {len(good)} verified under the new and the old secret, {sum(others)} of "
        f"{len(others)} under another; {sum(forged)} of {len(forged)} forgeries verified",
        met=len(requests) == 100 and vector and all(exact + good) and not any(others + forged),
    )


def _latency(system: System, healthy: Receiver, *, during: float = 0.0) -> float:
    """Return the p95 of the seconds from a task's end to the end of its callback."""
    ids: set[str] = set()
    end = time.monotonic() + during
    while len(ids) < HEALTHY or time.monotonic() < end:
        ids |= set(map(str, submit_with_callback(system, healthy.url("/200"), 1)))
        time.sleep(0.02)

    def completed() -> list[Task]:
        done = Task.objects.filter(kind=KIND, status=Status.COMPLETED)
        callbacks = [callback for callback in done if callback.input["task_id"] in ids]
        return callbacks if len(callbacks) == len(ids) else []

    callbacks = wait_until(completed, within=240, what="all callbacks completed")
    waits = [
        (callback.finished_at - callback.created_at).total_seconds()
        for callback in callbacks
        if callback.finished_at
    ]
    return percentile(sorted(waits), 95)


def _cancel_callbacks(system: System) -> None:
    left = Task.objects.filter(kind=KIND, status__in=(Status.PENDING, Status.PROCESSING))

    def none_left() -> bool:
        # A task that ends meanwhile adds another callback.
        return not lifecycle.cancel_many(list(left.values_list("pk", flat=True)))

    wait_until(none_left, within=60, what="all cancelled")


def _secrets(secret: str) -> list[str]:
    with override_settings(CALLBACK_SECRETS=[secret]):
        return secrets_of(None)


def _verifies(secret: str, body: str, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def _forged(request: Received) -> Sequence[tuple[str, dict[str, str]]]:
    """Return forgeries with another body, id, time, old time and signature."""
    sent_at = int(request.headers["webhook-timestamp"])
    return [
        (request.body.replace("COMPLETED", "FAILED"), request.headers),
        (request.body + " ", request.headers),
        (request.body, {**request.headers, "webhook-id": str(uuid.uuid4())}),
        (request.body, {**request.headers, "webhook-timestamp": str(sent_at + 1)}),
        (request.body, {**request.headers, "webhook-timestamp": str(sent_at - 3600)}),
        (request.body, {**request.headers, "webhook-signature": "v1,AAAA"}),
    ]


def _signature(request: Received, secrets: Sequence[str]) -> str:
    """Compute the header as the specification defines it, without its library."""
    signed = f"{request.id}.{request.headers['webhook-timestamp']}.{request.body}".encode()
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    signatures = [
        base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys
    ]
    return " ".join(f"v1,{signature}" for signature in signatures)
