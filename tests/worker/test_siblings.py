"""Worker processes of one supervisor: which is woken, what each gets, and which leads."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

import tasks
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tasks.worker.siblings import Siblings, Waiter
from tests.waiting import wait_until
from tests.workers import WorkerCommand, database_url, is_idle

WITHOUT_POLLING = {"DJANGO_SETTINGS_MODULE": "tests.settings_without_polling"}


@contextmanager
def forked(count: int, work: Callable[[int], object]) -> Iterator[list[int]]:
    """Run a function in forked processes, with their numbers; yield their process ids."""
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                work(number)
            finally:
                os._exit(0)
        pids.append(pid)
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_an_announcement_wakes_one_process_and_leaves_nothing_for_the_others() -> None:
    siblings = Siblings(3)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def wait(number: int) -> None:
        member = siblings.member(number)
        waiter = Waiter([member.cancels_reader], shared=member.jobs_reader)
        os.write(writer, b"w")
        while True:
            if member.jobs_reader in waiter.wait(None):
                os.write(writer, b"t" if member.take_jobs() else b"v")

    with forked(3, wait):
        reports = _read_until(reader, b"www")
        for _ in range(20):
            siblings.member(0).announce_jobs()
            reports += _read_until(reader, b"t")
    # None was woken in vain.
    assert sorted(reports) == sorted(b"www" + b"t" * 20)


def test_announcements_wake_the_processes_in_turn() -> None:
    siblings = Siblings(3)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def wait(number: int) -> None:
        member = siblings.member(number)
        waiter = Waiter([member.cancels_reader], shared=member.jobs_reader)
        os.write(writer, b"w")
        while True:
            if member.jobs_reader in waiter.wait(None) and member.take_jobs():
                os.write(writer, str(number).encode())

    with forked(3, wait):
        _read_until(reader, b"www")
        woken = b""
        for _ in range(21):
            siblings.member(0).announce_jobs()
            woken += _read_until(reader, b"0")
    assert {number: woken.count(number) for number in b"012"} == dict.fromkeys(b"012", 7)


def _read_until(reader: int, expected: bytes) -> bytes:
    read = b""

    def has_come() -> bool:
        nonlocal read
        try:
            read += os.read(reader, 100)
        except BlockingIOError:
            return False
        return len(read) >= len(expected)

    wait_until(has_come, what=f"{expected!r} has come")
    return read


def test_what_is_announced_while_none_waits_is_kept_for_the_first_that_does() -> None:
    siblings = Siblings(2)
    for _ in range(2):
        siblings.member(0).announce_jobs()
    assert siblings.member(1).take_jobs()
    assert not siblings.member(0).take_jobs()


def test_one_announcement_at_a_time_is_passed_on() -> None:
    siblings = Siblings(2)
    first, second = siblings.member(0), siblings.member(1)
    for _ in range(3):
        first.pass_on()
    assert second.take_jobs()
    assert not second.take_jobs()


def test_more_announcements_than_a_pipe_holds_block_nobody() -> None:
    siblings = Siblings(2)
    first, second = siblings.member(0), siblings.member(1)
    ids = [uuid.uuid4() for _ in range(10_000)]
    for task_id in ids:
        first.announce_jobs()
        first.announce_cancel(task_id)
    assert second.take_jobs()
    announced = list(second.take_cancels())
    assert announced == ids[: len(announced)]
    assert announced


def test_every_process_is_told_of_a_task_to_cancel() -> None:
    siblings = Siblings(3)
    task_id = uuid.uuid4()
    siblings.member(1).announce_cancel(task_id)
    for number in range(3):
        assert list(siblings.member(number).take_cancels()) == [task_id]
        assert list(siblings.member(number).take_cancels()) == []


def test_one_process_leads_until_it_ends() -> None:
    siblings = Siblings(2)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def lead(number: int) -> None:
        siblings.member(number).lead()
        os.write(writer, str(number).encode())
        signal.pause()

    with forked(2, lead) as pids:
        (leader,) = _read_until(reader, b"0")
        os.kill(pids[int(chr(leader))], signal.SIGKILL)
        (next_leader,) = _read_until(reader, b"0")
    assert {leader, next_leader} == set(b"01")


def _leader(command: WorkerCommand) -> int:
    """Return the process id of the leader, which holds the lock of the siblings."""

    def holders() -> set[int]:
        # "1: POSIX ADVISORY WRITE 4711 …"; those that wait for a lock have "->" before POSIX.
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return {int(lock[4]) for lock in locks if lock[1] == "POSIX"} & set(command.pids())

    (leader,) = wait_until(holders, what="a leader")
    return leader


def _count(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND " + query
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_another_process_leads_when_the_leader_was_killed(worker: Callable[..., WorkerCommand]):
    command = worker(processes=2, **WITHOUT_POLLING)
    wait_until(lambda: _count("application_name = 'worker listen'") == 1, what="one listens")
    for _ in range(3):
        leader = _leader(command)
        os.kill(leader, signal.SIGKILL)
        wait_until(lambda leader=leader: leader not in command.pids(), what="it is gone")
        # No process polls: these are claimed because they were announced.
        lifecycle.submit_many([prepare("test.script") for _ in range(10)])
        tasks.submit("test.script", delay=0.3)
        wait_until(lambda: command.must_run() and is_idle(), what="all have ended")
    assert _count("application_name = 'worker listen'") == 1


@pytest.mark.django_db(transaction=True)
def test_a_resumed_queue_is_claimed_from_although_no_process_polls(worker):
    worker(processes=2, **WITHOUT_POLLING)
    wait_until(lambda: _count("application_name = 'worker listen'") == 1, what="one listens")
    for _ in range(3):
        lifecycle.pause_queue("slow")
        lifecycle.submit_many([prepare("test.script", queue="slow") for _ in range(10)])
        tasks.submit("test.script")
        waiting = Task.objects.exclude(status=Status.COMPLETED)
        wait_until(lambda waiting=waiting: waiting.count() == 10, what="only the others wait")
        lifecycle.resume_queue("slow")
        wait_until(is_idle, what="all have ended")


@pytest.mark.django_db(transaction=True)
def test_a_scheduled_task_starts_while_the_leader_is_frozen(worker):
    command = worker(processes=2)
    wait_until(lambda: _count("application_name = 'worker listen'") == 1, what="one listens")
    leader = _leader(command)
    os.kill(leader, signal.SIGSTOP)
    try:
        task = tasks.submit("test.script", delay=0.3)
        # No process stages or announces it; the other one finds it by its poll.
        wait_until(is_idle, what="it has ended")
        assert _leader(command) == leader
    finally:
        os.kill(leader, signal.SIGCONT)
    assert Task.objects.get(pk=task.pk).status == Status.COMPLETED


POOLED = "&disable_server_side_cursors=true"


@pytest.mark.django_db(transaction=True)
def test_workers_behind_a_pooler_are_notified_through_a_direct_connection(worker):
    url = database_url()
    worker(processes=2, DATABASE_URL=url + POOLED, DATABASE_DIRECT_URL=url, **WITHOUT_POLLING)
    wait_until(lambda: _count("application_name = 'worker listen'") == 1, what="one listens")
    for _ in range(3):
        # No process polls: these are claimed because they were announced.
        tasks.submit("test.script")
        tasks.submit("test.script", delay=0.3)
        wait_until(is_idle, what="all have ended")
    # Staging goes through the pooler.
    assert _count("application_name = 'worker stage'") == 1


@pytest.mark.django_db(transaction=True)
def test_a_direct_url_of_another_database_is_reported_and_tasks_are_looked_for(worker):
    url = database_url()
    other = url.replace(f"/{connection.settings_dict['NAME']}?", "/postgres?")
    command = worker(DATABASE_URL=url + POOLED, DATABASE_DIRECT_URL=other)
    report = "no notification of the database in DATABASE_URL arrives through DATABASE_DIRECT_URL"
    wait_until(lambda: report in command.output(), what="the report")
    tasks.submit("test.script")
    tasks.submit("test.script", delay=0.3)
    wait_until(is_idle, what="all have ended")


@pytest.mark.django_db(transaction=True)
def test_tasks_in_every_process_hear_of_their_cancel(worker, tmp_path):
    worker(processes=2, concurrency=2, **WITHOUT_POLLING)
    running = Task.objects.filter(status=Status.PROCESSING)
    # One after the other: a job that comes while another waits is found by a poll, not announced.
    for number in range(1, 5):
        tasks.submit("test.script", {"do": "wait for file", "file": str(tmp_path / "never")})
        wait_until(lambda number=number: running.count() == number, what=f"{number} run")
    assert len(set(running.values_list("worker_id", flat=True))) == 2
    for task in running:
        lifecycle.cancel(task)
    wait_until(is_idle, what="all have ended")
    assert set(Task.objects.values_list("status", flat=True)) == {Status.CANCELLED}


@pytest.mark.django_db(transaction=True)
def test_idle_workers_have_few_connections(worker):
    before = _count("backend_type = 'client backend'")
    worker(processes=4)
    tasks.submit("test.script")
    wait_until(is_idle, what="it has ended")
    # Claim and lease of each; of the leader also listening, rescuing and schedules; one finish.
    most = before + 4 * 2 + 3 + 1
    wait_until(lambda: _count("backend_type = 'client backend'") <= most, what="few connections")
