"""Submitting by form: what arrives in the task, and what is said at which field."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tasks.models import Task

pytestmark = pytest.mark.django_db

ANALYZE = "/ui/kinds/text.analyze/"


def errors_at(response, field):
    return response.context["form"].errors.get(field, [])


def test_a_submitted_text_becomes_a_task_of_who_submitted_it(alice, user):
    response = alice.post(ANALYZE, {"text": "one two", "language": "en"})
    task = Task.objects.get()
    assert response.url == reverse("tasks-ui:task-detail", args=[task.pk])
    assert (task.kind, task.owner) == ("text.analyze", user)
    assert task.input == {"text": "one two", "language": "en"}


def test_what_was_left_empty_is_left_out_of_the_input(alice):
    alice.post(ANALYZE, {"text": "one two", "language": ""})
    assert Task.objects.get().input == {"text": "one two"}


def test_line_ends_are_stored_as_they_were_typed(alice):
    alice.post(ANALYZE, {"text": " one\r\ntwo\r\n"})
    assert Task.objects.get().input == {"text": " one\ntwo\n"}


def test_an_anonymous_submission_belongs_to_nobody(client):
    client.post(ANALYZE, {"text": "one"})
    assert Task.objects.get().owner is None


def test_a_text_of_a_megabyte_is_accepted(alice):
    text = "ж wörd " * 150_000
    assert alice.post(ANALYZE, {"text": text}).status_code == 302
    assert Task.objects.get().input["text"] == text


@pytest.mark.parametrize(
    ("data", "field", "said"),
    [
        ({}, "text", "required"),
        ({"text": ""}, "text", "required"),
        ({"text": "a\0b"}, "text", "Null characters"),
        ({"text": "a", "language": "klingon"}, "language", "klingon"),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_is_submitted(alice, data, field, said):
    response = alice.post(ANALYZE, data)
    assert response.status_code == 422
    assert said in " ".join(errors_at(response, field))
    assert not Task.objects.exists()


def test_a_refused_form_keeps_what_was_written(alice):
    response = alice.post(ANALYZE, {"text": "kept <b>", "language": "klingon"})
    assert "kept &lt;b&gt;" in response.content.decode()


def test_a_kind_without_a_schema_asks_for_a_json_object(alice):
    alice.post("/ui/kinds/test.script/", {"input": '{"do": "return", "value": [1, null]}'})
    assert Task.objects.get().input == {"do": "return", "value": [1, None]}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "required"),
        ("{", "not JSON"),
        ("[1]", "must be a JSON object"),
        ("null", "required"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "deeper"),
    ],
)
def test_what_is_no_storable_json_object_is_refused_at_the_field(alice, written, said):
    response = alice.post("/ui/kinds/test.script/", {"input": written})
    assert response.status_code == 422
    assert said in " ".join(errors_at(response, "input"))
    assert not Task.objects.exists()


def test_an_unknown_kind_has_no_form(alice):
    assert alice.get("/ui/kinds/test.unknown/").status_code == 404


def test_a_form_without_its_token_is_refused(own_client):
    response = own_client.post(ANALYZE, {"text": "one"})
    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()
    assert not Task.objects.exists()
