"""The page of a batch or a workflow: for its owner, with its tasks and buttons."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tasks import lifecycle
from tasks.lifecycle import Following
from tasks.lifecycle.ending import completed
from tasks.lifecycle.preparation import prepare
from tasks.models import Batch, Status, Task
from tasks.stats import workflow_graph
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish

pytestmark = pytest.mark.django_db(transaction=True)


def page(batch: Batch, action: str = "detail") -> str:
    return reverse(f"tasks-ui:batch-{action}", args=[batch.pk])


def workflow(owner: User) -> Batch:
    nodes = {
        "fetch": lifecycle.Node(kind="test.sum"),
        "use": lifecycle.Node(kind="test.sum", after=["fetch"]),
    }
    return lifecycle.submit_workflow(nodes, name="Example", owner=owner)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_workflow_is_drawn_and_followed_to_its_end(user: User) -> None:
    batch = workflow(user)
    client = signed_in(user)
    running = client.get(page(batch)).content.decode()
    assert "Running" in running
    assert "hx-trigger" in running
    assert 'aria-label="use: Waiting"' in running
    waiting = Task.objects.get(node="use")
    detail = client.get(reverse("tasks-ui:task-detail", args=[waiting.pk])).content.decode()
    assert "Waiting for fetch." in detail
    assert "9999" not in detail
    assert page(batch) in detail
    for _ in range(2):
        lifecycle.settle()
        finish(*(completed(held, {}) for held in claim(make_worker())))
    lifecycle.settle()
    ended = client.get(page(batch)).content.decode()
    assert "Completed" in ended
    assert "hx-trigger" not in ended
    assert 'id="cancel"' not in ended


def test_the_tasks_of_items_are_drawn_between_the_list_and_their_node(user: User) -> None:
    nodes = {
        "fetch": lifecycle.Node(kind="test.script"),
        "each": lifecycle.Node(kind="test.script", map={"$result": "fetch.items"}),
    }
    batch = lifecycle.submit_workflow(nodes, owner=user)
    finish(*(completed(held, {"items": [1, 2]}) for held in claim(make_worker())))
    lifecycle.settle()
    graph = workflow_graph(batch, url_of=lambda task: "/")
    columns = {box.task.node: box.x for box in graph.boxes}
    assert columns["fetch"] < columns["each.0"] == columns["each.1"] < columns["each"]
    assert len(graph.paths) == 4
    assert "each.1" in signed_in(user).get(page(batch)).content.decode()


def test_its_owner_cancels_and_retries_a_batch(user: User) -> None:
    new = [prepare("test.sum") for _ in range(2)]
    batch = lifecycle.submit_many(
        new, owner=user, following=Following(name="Two", then=prepare("test.sum"))
    )
    client = signed_in(user)
    shown = client.get(page(batch)).content.decode()
    assert "2 of 2" in shown
    assert "Then" in shown
    assert client.post(page(batch, "cancel")).status_code == 302
    lifecycle.settle()
    assert "Cancelled" in client.get(page(batch)).content.decode()
    assert client.post(page(batch, "retry")).status_code == 302
    assert Task.objects.filter(batch=batch, status=Status.PENDING).count() == 2


def test_others_do_not_see_it(user: User) -> None:
    batch = workflow(user)
    stranger = signed_in(User.objects.create_user("stranger"))
    assert stranger.get(page(batch)).status_code == 404
    for action in ("cancel", "retry"):
        assert stranger.post(page(batch, action)).status_code == 404
    assert Client().get(page(batch)).status_code in (302, 404)
    assert signed_in(user).get(f"{page(batch)}?before=x").status_code == 400
