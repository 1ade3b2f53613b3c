"""Supervisor: restarts children that die, and stops all of them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import psutil
import pytest

from tests.project.conftest import ROOT, Supervise
from tests.project.waiting import wait_gone
from tests.waiting import wait_until
from tests.workers import is_running


def test_a_killed_child_is_started_again(supervise: Supervise) -> None:
    supervised = supervise("three")
    first = supervised.began("top")
    os.kill(first, signal.SIGKILL)
    assert supervised.began("top", times=2) != first
    assert supervised.stop() == 0
    _, output = supervised.process.communicate()
    assert output.count("top was killed by SIGKILL") == 1


def test_a_killed_child_leaves_no_zombie(supervise: Supervise) -> None:
    supervised = supervise("three")
    os.kill(supervised.began("top"), signal.SIGKILL)
    supervised.began("top", times=2)
    states = [process.status() for process in supervised.everything()]
    assert psutil.STATUS_ZOMBIE not in states


def test_a_child_that_dies_early_is_restarted_with_growing_delays(
    supervise: Supervise,
) -> None:
    supervised = supervise("flapping")
    supervised.began("short-lived", times=4)
    times = [float(words[3]) for words in supervised.lines("short-lived", "began")]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4
    assert pauses[2] >= 0.8


def test_a_child_that_has_lived_for_a_while_is_started_again_at_once(supervise: Supervise) -> None:
    supervised = supervise("long-lived")
    supervised.began("short-lived", times=3)
    supervised.stop()
    assert supervised.process.stderr
    assert supervised.process.stderr.read().count("restarts it at once") == 2


def test_a_child_that_requests_to_be_replaced_is_restarted_at_once(supervise: Supervise) -> None:
    supervised = supervise("recycled")
    supervised.began("short-lived", times=4)
    times = [float(words[3]) for words in supervised.lines("short-lived", "began")]
    # Each lived 0.3 s; a back-off would have added 1.4 s by now.
    assert times[3] - times[0] < 2


def test_children_stop_highest_tier_first(supervise: Supervise) -> None:
    supervised = supervise("three")
    for name in ("top", "middle", "bottom"):
        supervised.began(name)
    assert supervised.stop() == 0
    assert supervised.order("ended") == ["top", "middle", "bottom"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_stop_signal_ends_the_supervisor_and_its_children(
    supervise: Supervise, signum: signal.Signals
) -> None:
    supervised = supervise("three")
    pids = [supervised.began(name) for name in ("top", "middle", "bottom")]
    supervised.process.send_signal(signum)
    assert supervised.process.wait(10) == 0
    assert not any(is_running(pid) for pid in pids)


def test_a_signal_to_the_process_group_reaches_the_supervisor_alone(supervise: Supervise) -> None:
    supervised = supervise("three")
    for name in ("top", "middle", "bottom"):
        supervised.began(name)
    os.killpg(supervised.process.pid, signal.SIGINT)
    assert supervised.process.wait(10) == 0
    assert supervised.order("ended") == ["top", "middle", "bottom"]


def test_a_child_that_ignores_its_stop_signal_is_killed_after_the_grace(
    supervise: Supervise,
) -> None:
    supervised = supervise("stubborn")
    pid = supervised.began("stubborn")
    stopped_at = time.monotonic()
    assert supervised.stop() == 0
    assert 0.5 <= time.monotonic() - stopped_at < 5
    assert not is_running(pid)


def test_a_second_stop_request_shortens_the_grace(supervise: Supervise) -> None:
    supervised = supervise("patient")
    pids = [supervised.began("stubborn"), supervised.began("slow")]
    supervised.process.terminate()
    wait_until(lambda: bool(supervised.lines("slow", "ended")))
    stopped_at = time.monotonic()
    assert supervised.stop() == 0
    assert time.monotonic() - stopped_at < 5
    assert not any(is_running(pid) for pid in pids)


def test_a_stop_request_delivered_twice_counts_once(supervise: Supervise) -> None:
    supervised = supervise("slow")
    supervised.began("slow")
    supervised.process.terminate()
    assert supervised.stop() == 0
    assert supervised.order("ended") == ["slow"]


def test_children_die_with_a_killed_supervisor(supervise: Supervise) -> None:
    supervised = supervise("three")
    pids = [supervised.began(name) for name in ("top", "middle", "bottom")]
    supervised.process.kill()
    wait_gone(pids, within=2)


def test_commands_die_with_a_killed_supervisor(supervise: Supervise) -> None:
    supervised = supervise("command")
    wait_until(lambda: len(supervised.everything()) == 2)
    command = supervised.everything()[1]
    supervised.process.kill()
    wait_gone([command.pid], within=2)


def test_a_process_that_outlived_its_child_is_ended_when_the_supervisor_stops(
    supervise: Supervise,
) -> None:
    supervised = supervise("stray")
    stray = supervised.began("stray")
    os.kill(supervised.began("parent"), signal.SIGKILL)
    supervised.began("parent", times=2)
    strays = [stray, supervised.began("stray", times=2)]
    assert supervised.stop() == 0
    assert not any(is_running(pid) for pid in strays)


def test_a_process_left_by_a_child_that_leaves_nothing_is_ended_at_once(
    supervise: Supervise,
) -> None:
    supervised = supervise("tidy")
    stray = supervised.began("stray")
    os.kill(supervised.began("parent"), signal.SIGKILL)
    wait_gone([stray], within=2)
    assert is_running(supervised.began("parent", times=2))


def test_a_child_that_misses_its_watchdog_is_killed_and_restarted(supervise: Supervise) -> None:
    supervised = supervise("blocking")
    child = supervised.began("blocking")
    trigger = supervised.journal.with_name("block")
    trigger.touch()
    wait_until(lambda: bool(supervised.lines("blocking", "blocked")))
    trigger.unlink()
    wait_gone([child], within=5)
    assert supervised.began("blocking", times=2) != child
    assert supervised.stop() == 0
    _, output = supervised.process.communicate()
    warning = (
        "blocking sent no watchdog signal for 1.5 s (interpreter blocked?);"
        " the supervisor sends it SIGKILL"
    )
    assert output.count(warning) == 1


def test_a_child_that_has_not_begun_to_count_does_not_miss_its_watchdog(
    supervise: Supervise,
) -> None:
    supervised = supervise("starting")
    starter = supervised.began("starter")
    since = time.monotonic()
    wait_until(lambda: time.monotonic() > since + 2)
    assert supervised.pids("starter") == [starter]
    assert is_running(starter)


def test_a_child_frozen_with_its_supervisor_does_not_miss_its_watchdog(
    supervise: Supervise,
) -> None:
    supervised = supervise("blocking")
    child = supervised.began("blocking")
    os.kill(supervised.process.pid, signal.SIGSTOP)
    os.kill(child, signal.SIGSTOP)
    since = time.monotonic()
    wait_until(lambda: time.monotonic() > since + 4)
    # The supervisor checks first.
    os.kill(supervised.process.pid, signal.SIGCONT)
    wait_until(lambda: time.monotonic() > since + 4.5)
    os.kill(child, signal.SIGCONT)
    # The child goes on counting for longer than the limit.
    wait_until(lambda: time.monotonic() > since + 7)
    assert supervised.pids("blocking") == [child]
    assert is_running(child)


def test_the_supervisor_exits_when_a_child_dies_at_each_start(supervise: Supervise) -> None:
    supervised = supervise("failing")
    assert supervised.process.wait(20) == 1
    output, _ = supervised.process.communicate()
    assert output == "failing ended with exit code 3 at the start\n"
    assert len(supervised.pids("failing")) == 3
    assert supervised.order("ended") == ["steady"]


def test_the_supervisor_exits_when_a_command_does_not_exist(supervise: Supervise) -> None:
    supervised = supervise("missing")
    assert supervised.process.wait(20) == 1
    _, output = supervised.process.communicate()
    assert "/no/such/program cannot be run: No such file or directory." in output


def test_a_tier_waits_until_the_one_below_is_ready(supervise: Supervise) -> None:
    supervised = supervise("ordered")
    supervised.began("first")
    assert not supervised.pids("once")
    with supervised.journal.open("a") as journal:
        journal.write("test go 0 0\n")
    supervised.began("last")
    assert supervised.order("began") == ["first", "once", "last"]
    wait_gone(supervised.pids("once"))
    assert supervised.stop() == 0
    assert len(supervised.pids("once")) == 1


def test_the_supervisor_exits_when_a_child_that_runs_once_fails(supervise: Supervise) -> None:
    supervised = supervise("hopeless")
    assert supervised.process.wait(20) == 1
    output, _ = supervised.process.communicate()
    assert output == "once ended with exit code 4 at the start\n"
    assert not supervised.pids("never")


def test_a_stop_request_at_any_moment_of_the_start_ends_all_processes(supervise: Supervise) -> None:
    for count in range(4):
        supervised = supervise("three")
        wait_until(lambda: len(supervised.everything()) > count)  # noqa: B023
        begun = supervised.everything()[1:]
        assert supervised.stop() in (0, -signal.SIGTERM)
        assert not any(is_running(process.pid) for process in begun)


def test_a_stop_request_between_two_forks_is_obeyed(supervise: Supervise) -> None:
    supervised = supervise("interrupted")
    assert supervised.process.wait(10) == 0
    assert len(supervised.lines("supervisor", "forked")) == 1


def test_no_tier_is_started_after_a_stop_request(supervise: Supervise) -> None:
    supervised = supervise("stopped-before-a-tier")
    assert supervised.process.wait(10) == 0
    assert supervised.pids("second") == supervised.pids("third") == []


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def without_reader() -> int:
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


@pytest.mark.parametrize("unusable", [full, without_reader])
@pytest.mark.parametrize("streams", [["stdout"], ["stderr"], ["stdout", "stderr"]])
def test_an_output_that_takes_nothing_stops_neither_supervisor_nor_child(
    supervise: Supervise, unusable: Callable[[], int], streams: list[str]
) -> None:
    output = unusable()
    supervised = supervise("talking", **dict.fromkeys(streams, output))
    os.close(output)
    # The first child has left a text in its buffers, and ended with 0.
    supervised.began("last")
    assert len(supervised.pids("once")) == 1
    assert supervised.stop() == 0


def test_what_an_output_did_not_take_is_not_written_later() -> None:
    program = """
import os, sys
from tasks.supervision.processes import Child, fork
usable = os.dup(1)
os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
sys.stdout.write("lost ")
os.waitpid(fork(Child("child", lambda: 0)), 0)
os.dup2(usable, 1)
sys.stdout.write("kept")
"""
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (process.stdout, process.stderr) == ("kept", "")
