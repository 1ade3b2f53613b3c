from __future__ import annotations

from io import StringIO

import orjson
import pytest
from django.core.management import call_command

from tasks import lifecycle
from tasks.models import Status
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db


def queue_status(*arguments: str) -> str:
    output = StringIO()
    call_command("queue_status", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def test_lanes_statuses_queues_and_workers_are_shown_as_tables():
    make_worker("host:1")
    for status in (Status.PENDING, Status.PENDING, Status.FAILED):
        make_task(status, queue="letters")
    lifecycle.pause_queue("letters")
    lines = [line.split() for line in queue_status().splitlines()]
    assert ["primary", "2"] in lines
    assert ["FAILED", "1"] in lines
    assert next(line for line in lines if line[:1] == ["letters"])[:4] == [
        "letters", "paused", "2", "0",
    ]  # fmt: skip
    assert ["host:1", "alive", "0", "/", "4", "0", "0", "all"] in lines


def test_without_workers_the_table_shows_none():
    assert "none" in queue_status()


def test_the_option_json_prints_json():
    make_worker("host:1")
    make_task(Status.PENDING)
    document = orjson.loads(queue_status("--json"))
    assert document["queues"] == {"primary": 1, "retry": 0, "scheduled": 0, "dlq": 0}
    assert document["by_queue"]["default"]["pending"] == 1
    assert [worker["state"] for worker in document["workers"]] == ["alive"]
    assert document["retry_ratio"] == 0.3
