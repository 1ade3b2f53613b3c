"""Prefetch: how many tasks a worker claims, and when."""

from __future__ import annotations

from tasks.worker.prefetch import LARGEST_CLAIM, Prefetch

CLAIM_SECONDS = 0.02


def worked(
    *, per_second: float, claims: int = 20, least: int = 1, owners: int = 1
) -> tuple[Prefetch, int]:
    """Return a prefetch after some full claims, and the size of the next."""
    prefetch, now, processed = Prefetch(multiplier=4), 100.0, 0
    for _ in range(claims):
        size = prefetch.size(least=least, now=now, processed=processed)
        prefetch.claimed(CLAIM_SECONDS, is_full=True, owners=owners)
        now += max(size / per_second, CLAIM_SECONDS)
        processed = int(now * per_second)
    return prefetch, prefetch.size(least=least, now=now, processed=processed)


def test_before_anything_is_measured_each_free_slot_gets_the_configured_number() -> None:
    prefetch = Prefetch(multiplier=4)
    assert prefetch.size(least=1, now=0, processed=0) == 4
    assert prefetch.size(least=8, now=0, processed=0) == 32


def test_fast_tasks_are_claimed_by_the_hundred_and_ahead() -> None:
    prefetch, size = worked(per_second=20_000)
    assert size == LARGEST_CLAIM
    assert prefetch.low >= LARGEST_CLAIM // 2


def test_a_claim_holds_what_is_used_up_while_the_next_is_under_way() -> None:
    prefetch, size = worked(per_second=1_000)
    # At least 0.03 s of work.
    assert 28 <= size <= 36
    # 0.02 s, and a fifth as much again.
    assert 20 <= prefetch.low < 30


def test_claims_are_smaller_while_owners_compete() -> None:
    alone, size = worked(per_second=5_000)
    assert 145 <= size <= 155
    competing, size = worked(per_second=5_000, owners=2)
    assert 95 <= size <= 105
    # A second later they no longer compete.
    for prefetch in (alone, competing):
        assert 145 <= prefetch.size(least=1, now=200.0, processed=200 * 5_000) <= 155


def test_slow_tasks_are_claimed_one_for_each_free_slot_and_never_ahead() -> None:
    prefetch, size = worked(per_second=2)
    assert size == 1
    assert prefetch.low == 0


def test_nothing_is_claimed_ahead_when_nothing_more_waits() -> None:
    prefetch, _ = worked(per_second=20_000)
    prefetch.claimed(CLAIM_SECONDS, is_full=False)
    assert prefetch.low == 0


def test_a_slow_database_makes_claims_larger_up_to_a_bound() -> None:
    prefetch = Prefetch(multiplier=4)
    now = 0.0
    for count in range(20):
        prefetch.size(least=1, now=now, processed=count * 1_000)
        prefetch.claimed(60.0, is_full=True)
        now += 10.0
    assert prefetch.size(least=1, now=now, processed=20_000) == 33


def test_a_reset_discards_the_measured_rate() -> None:
    prefetch, _ = worked(per_second=20_000)
    prefetch.reset()
    assert prefetch.size(least=1, now=300.0, processed=0) == 4
    assert prefetch.low == 0
