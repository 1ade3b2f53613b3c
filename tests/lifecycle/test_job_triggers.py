from __future__ import annotations

import pytest

import tasks
from tasks.checks import procrastinate_triggers
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db

EVENTS = "SELECT type::text FROM procrastinate_events ORDER BY id"
NOTIFY_TWICE = """
    CREATE TRIGGER brought_back AFTER INSERT ON procrastinate_jobs FOR EACH ROW
    EXECUTE FUNCTION procrastinate_notify_queue_job_inserted_v1()
"""


def test_our_jobs_write_no_events_and_those_of_other_applications_do():
    tasks.submit("test.script", {"value": 1})
    assert execute(EVENTS) == []
    execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'other.task')")
    assert execute(EVENTS) == [("deferred",)]
    execute("DELETE FROM procrastinate_jobs WHERE task_name = 'other.task'")
    assert execute(EVENTS) == []


def test_the_check_finds_nothing_until_a_trigger_comes_back():
    assert procrastinate_triggers(databases=["default"]) == []
    execute(NOTIFY_TWICE)
    (warning,) = procrastinate_triggers(databases=["default"])
    assert "brought_back" in warning.msg


def test_the_check_finds_a_foreign_key_that_came_back():
    execute(
        "ALTER TABLE procrastinate_events ADD FOREIGN KEY (job_id)"
        " REFERENCES procrastinate_jobs ON DELETE CASCADE"
    )
    assert len(procrastinate_triggers(databases=["default"])) == 1
