"""The buffer hands claims to slots in order, and calls for claims and for slots."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest

from tasks.lifecycle.ending import Claim
from tasks.worker.buffer import Buffer
from tests.waiting import wait_until

CONCURRENCY = 3


class Watched:
    """A buffer, how often it has called back, and what its slots took."""

    def __init__(self) -> None:
        self.low = self.short = 0
        self.taken: list[Claim | None] = []
        self.buffer = Buffer(concurrency=CONCURRENCY, on_low=self._on_low, on_short=self._on_short)
        self._threads: list[threading.Thread] = []

    def add_slot(self, *, takes: int = 1) -> None:
        """Start a slot that takes so many claims and is then busy for ever."""
        thread = threading.Thread(target=self._take, args=[takes], daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """Close the buffer and wait for the slots."""
        self.buffer.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _take(self, takes: int) -> None:
        for number in range(takes):
            self.taken.append(self.buffer.take(is_new=number == 0))

    def _on_low(self) -> None:
        self.low += 1

    def _on_short(self) -> None:
        self.short += 1


@pytest.fixture
def watched() -> Iterator[Watched]:
    watched = Watched()
    yield watched
    watched.end()


def claims(count: int, owner_id: int | None = None) -> list[Claim]:
    return [
        Claim(
            id=uuid.uuid4(), job_id=number, kind="test.script", queue="default", owner_id=owner_id,
            input={}, attempt=1, max_attempts=1, claim_number=1,
        )
        for number in range(count)
    ]  # fmt: skip


def test_slots_take_claims_in_order_and_wait_for_more(watched: Watched) -> None:
    first, second, third = claims(3)
    watched.buffer.put([first, second])
    watched.add_slot(takes=3)
    wait_until(lambda: watched.taken == [first, second], what="both are taken")
    watched.buffer.put([third])
    wait_until(lambda: watched.taken == [first, second, third], what="the third is taken")


def test_owners_who_had_no_claim_share_the_places_with_those_who_had(watched: Watched) -> None:
    flood, more = claims(4, owner_id=1), claims(2, owner_id=1)
    second, third = claims(2, owner_id=2), claims(1, owner_id=3)
    watched.buffer.put(flood)
    watched.buffer.put([more[0], *second, *third, more[1]])
    assert watched.buffer.drain() == [
        second[0], flood[0], second[1], flood[1], third[0], flood[2], flood[3], *more,
    ]  # fmt: skip
    watched.buffer.put(flood[:1])
    watched.buffer.put(second + third)
    assert watched.buffer.drain() == [second[0], flood[0], second[1], third[0]]


def test_one_more_slot_is_wanted_while_claims_wait_and_every_slot_is_busy(watched: Watched) -> None:
    watched.buffer.put(claims(10))
    assert watched.short == 1
    watched.buffer.put(claims(10))
    # The slot that was asked for has not come yet.
    assert watched.short == 1
    for count, wanted in ((1, 2), (2, 3), (3, 3)):
        watched.add_slot()
        wait_until(lambda count=count: len(watched.taken) == count, what="the slot has begun")
        assert watched.short == wanted


def test_no_slot_is_wanted_while_one_waits(watched: Watched) -> None:
    watched.add_slot(takes=2)
    wait_until(lambda: watched.buffer.free() == CONCURRENCY, what="the slot waits")
    watched.buffer.put(claims(1))
    wait_until(lambda: len(watched.taken) == 1, what="taken")
    assert watched.short == 0


def test_the_claimer_hears_once_of_a_slot_that_waits(watched: Watched) -> None:
    watched.buffer.put(claims(CONCURRENCY))
    assert not watched.buffer.report_low(0)
    watched.add_slot(takes=CONCURRENCY + 1)
    wait_until(lambda: watched.low == 1, what="the claimer is called")
    assert watched.buffer.report_low(0)
    assert watched.low == 1


def test_the_claimer_hears_that_few_claims_are_left(watched: Watched) -> None:
    watched.buffer.put(claims(10))
    assert not watched.buffer.report_low(5)
    watched.add_slot(takes=4)
    wait_until(lambda: len(watched.taken) == 4, what="four are taken")
    assert watched.low == 0
    watched.add_slot(takes=1)
    wait_until(lambda: watched.low == 1, what="the claimer is called")


def test_nothing_is_reported_when_no_more_waits(watched: Watched) -> None:
    watched.buffer.put(claims(1))
    assert not watched.buffer.report_low(None)
    watched.add_slot(takes=2)
    wait_until(lambda: watched.buffer.free() == CONCURRENCY, what="the slot waits")
    assert watched.low == 0


def test_a_closed_buffer_ends_its_slots_and_gives_back_what_waits(watched: Watched) -> None:
    watched.add_slot()
    wait_until(lambda: watched.buffer.free() == CONCURRENCY, what="the slot waits")
    watched.end()
    assert watched.taken == [None]
    left = claims(2)
    watched.buffer.put(left)
    assert watched.buffer.drain() == left
    assert len(watched.buffer) == 0
