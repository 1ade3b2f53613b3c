from __future__ import annotations

import pytest
from django.urls import reverse

from tasks.models import Batch, Queue, Status, Task
from tests.console.pages import SCREENS, TASKS, page
from tests.factories import make_attempt, make_task, make_worker

pytestmark = pytest.mark.django_db

ATTACK = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{ 7|add:7 }}"""


@pytest.fixture
def hostile() -> Task:
    make_worker(ATTACK)
    Queue.objects.create(name=ATTACK)
    error = {"type": ATTACK, "title": ATTACK, "detail": ATTACK}
    task = make_task(
        Status.FAILED,
        kind=ATTACK,
        queue="\"'><img src=x>",
        batch=Batch.objects.create(total=1),
        input={ATTACK: ATTACK},
        result={"list": [ATTACK]},
        metadata={"note": ATTACK},
        error=error,
    )
    make_attempt(task, claim_number=2, worker=ATTACK, error={**error, "traceback": ATTACK})
    make_task(Status.PROCESSING, progress_message=ATTACK, kind=ATTACK)
    return task


def is_harmless(content: bytes) -> bool:
    seen = content.decode()
    return "<script>alert" not in seen and "<img src=x" not in seen and "\"'>" not in seen


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.usefixtures("hostile")
def test_no_screen_runs_what_a_task_carries(operator, console, screen):
    response = console(operator).get(reverse(screen))
    assert is_harmless(response.content)


@pytest.mark.parametrize("living", [{}, {"HX-Request": "true"}])
def test_a_tasks_page_runs_nothing_of_it(operator, console, hostile, living):
    response = console(operator).get(page(hostile), headers=living)
    assert is_harmless(response.content)
    assert b"&lt;script&gt;alert" in response.content


def test_what_is_asked_and_said_about_it_is_escaped_too(operator, console, hostile):
    browser = console(operator)
    group = {"verb": "delete", "kind": ATTACK, "error": ATTACK}
    act = reverse("admin:tasks_task_act_on_group")
    assert is_harmless(browser.post(act, group).content)
    said = browser.post(act, {**group, "verb": "retry"}, follow=True)
    assert "queued again" in said.content.decode()
    assert is_harmless(said.content)
    listed = browser.get(reverse(TASKS), {"q": ATTACK, "kind": ATTACK, "owner": ATTACK})
    assert is_harmless(listed.content)
