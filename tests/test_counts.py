"""Counts of one process."""

from __future__ import annotations

import threading

from tasks.counts import ATTEMPTS, RAN, Counts


def test_counts_are_summed_by_labels() -> None:
    counts = Counts()
    counts.add(ATTEMPTS, "q", "k", "completed")
    counts.add(ATTEMPTS, "q", "k", "completed", by=2)
    counts.add(ATTEMPTS, "q", "k", "failed")
    assert counts.take() == {
        ("tasks_attempts", ("q", "k", "completed")): [3],
        ("tasks_attempts", ("q", "k", "failed")): [1],
    }
    assert counts.take() == {}


def test_durations_are_counted_by_bucket_up_to_its_bound() -> None:
    counts = Counts()
    counts.observe(RAN, "q", "k", seconds=[0.001, 0.005])
    counts.observe(RAN, "q", "k", seconds=[0.0051, 9_000])
    (numbers,) = counts.take().values()
    assert len(numbers) == len(RAN.buckets) + 2
    assert (numbers[0], numbers[1], numbers[-2]) == (2, 1, 1)
    assert numbers[-1] == 0.001 + 0.005 + 0.0051 + 9_000


def test_what_was_taken_can_be_added_again() -> None:
    counts = Counts()
    counts.add(ATTEMPTS, "q", "k", "failed")
    taken = counts.take()
    counts.add(ATTEMPTS, "q", "k", "failed")
    counts.add_all(taken)
    assert counts.take() == {("tasks_attempts", ("q", "k", "failed")): [2]}


def test_threads_lose_no_count() -> None:
    counts = Counts()

    def observe() -> None:
        for _ in range(5_000):
            counts.observe(RAN, "q", "k", seconds=[1.0])

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (numbers,) = counts.take().values()
    assert (sum(numbers[:-1]), numbers[-1]) == (20_000, 20_000.0)
