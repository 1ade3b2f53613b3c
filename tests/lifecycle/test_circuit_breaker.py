"""Circuit breakers: shared, probed by one call at a time, closed by its success."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import connection
from pytest_django import Settings

from tasks import circuit_breaker
from tasks.circuit_breaker import CircuitBreaker, CircuitOpen, ServiceFailure, ServiceRefusal
from tasks.kinds import Cancel
from tasks.models import Breaker
from tests.threads import in_threads
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

circuit = CircuitBreaker("test")


@pytest.fixture(autouse=True)
def _quick(settings: Settings) -> None:
    settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD = 3
    settings.CIRCUIT_BREAKER_RECOVERY_TIMEOUT = 60


def call(error: BaseException | None = None) -> None:
    with circuit.permit(lease=30):
        if error:
            raise error


def fail(times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(ServiceFailure):
            call(ServiceFailure("down"))


def recover() -> None:
    """Let the recovery time pass."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_breaker SET open_until = now() WHERE open_until IS NOT NULL")


def state() -> str:
    return {row.name: row.state for row in circuit_breaker.circuits()}["test"]


def test_consecutive_failures_open_the_circuit() -> None:
    fail(2)
    call()
    fail(2)
    assert state() == "closed"
    fail()
    assert state() == "open"
    with pytest.raises(CircuitOpen) as refused:
        call()
    assert 55 < refused.value.retry_after <= 60


def test_a_refusal_and_an_interruption_are_not_failures() -> None:
    fail(2)
    with pytest.raises(ServiceRefusal):
        call(ServiceRefusal("no"))
    fail(2)
    with pytest.raises(Cancel):
        call(Cancel())
    assert state() == "closed"


def test_a_successful_probe_closes_the_circuit() -> None:
    fail(3)
    recover()
    assert state() == "half-open"
    call()
    assert (state(), Breaker.objects.get().failures) == ("closed", 0)


def test_a_failed_probe_opens_the_circuit_again() -> None:
    fail(3)
    recover()
    fail()
    assert state() == "open"
    with pytest.raises(CircuitOpen):
        call()


def test_while_one_call_probes_the_service_others_are_refused() -> None:
    fail(3)
    recover()
    with circuit.permit(lease=30):
        for _ in range(3):
            with pytest.raises(CircuitOpen) as refused:
                call()
            assert refused.value.retry_after == circuit_breaker.PROBED_AGAIN_AFTER
    call()


def test_after_a_cancelled_probe_another_call_probes() -> None:
    fail(3)
    recover()
    with pytest.raises(Cancel):
        call(Cancel())
    call()
    assert state() == "closed"


def test_a_probe_that_died_is_replaced_after_its_lease() -> None:
    fail(3)
    recover()
    dead = circuit.permit(lease=0)
    dead.__enter__()
    with circuit.permit(lease=30):
        # The first probe ends after all: its result no longer counts.
        with suppress(ServiceFailure):
            dead.__exit__(ServiceFailure, ServiceFailure("late"), None)
        assert state() == "half-open"
    assert state() == "closed"


def test_results_of_calls_that_began_before_the_opening_are_ignored() -> None:
    early = [circuit.permit(lease=30) for _ in range(4)]
    for permit in early:
        permit.__enter__()
    fail(3)
    opened = Breaker.objects.get()
    early[0].__exit__(None, None, None)
    for permit in early[1:]:
        with suppress(ServiceFailure):
            permit.__exit__(ServiceFailure, ServiceFailure("late"), None)
    late = Breaker.objects.get()
    assert (late.open_until, late.failures) == (opened.open_until, 3)


def test_a_reset_closes_the_circuit() -> None:
    fail(3)
    assert "test" in circuit_breaker.reset()
    call()
    assert state() == "closed"


@pytest.mark.django_db(transaction=True)
def test_only_one_of_many_concurrent_calls_probes_the_service() -> None:
    fail(3)
    recover()
    refused: list[CircuitOpen] = []

    def enter() -> None:
        try:
            with circuit.permit(lease=30):
                wait_until(lambda: len(refused) == 11, what="the others refused")
        except CircuitOpen as error:
            refused.append(error)
            raise

    results = in_threads(12, enter)
    assert results.count(None) == 1
    assert len(refused) == 11


@pytest.mark.django_db(transaction=True)
def test_concurrent_failures_are_all_counted(settings: Settings) -> None:
    settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD = 100
    in_threads(8, lambda: call(ServiceFailure("down")))
    assert Breaker.objects.get().failures == 8
