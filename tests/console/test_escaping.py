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
    html = content.decode()
    return "<script>alert" not in html and "<img src=x" not in html and "\"'>" not in html


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.usefixtures("hostile")
def test_no_screen_runs_markup_from_a_task(operator, console, screen):
    response = console(operator).get(reverse(screen))
    assert is_harmless(response.content)


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_task_page_shows_markup_from_the_task_as_text(operator, console, hostile, headers):
    response = console(operator).get(page(hostile), headers=headers)
    assert is_harmless(response.content)
    assert b"&lt;script&gt;alert" in response.content


def test_confirmations_messages_and_filters_escape_markup(operator, console, hostile):
    browser = console(operator)
    group = {"verb": "delete", "kind": ATTACK, "error": ATTACK}
    act = reverse("admin:tasks_task_act_on_group")
    assert is_harmless(browser.post(act, group).content)
    response = browser.post(act, {**group, "verb": "retry"}, follow=True)
    assert "queued again" in response.content.decode()
    assert is_harmless(response.content)
    listed = browser.get(reverse(TASKS), {"q": ATTACK, "kind": ATTACK, "owner": ATTACK})
    assert is_harmless(listed.content)
