"""The submit form: the input it stores, and errors at their fields."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tasks.models import Task

pytestmark = pytest.mark.django_db

ANALYZE = "/ui/kinds/text.analyze/"


def errors_at(response, field):
    return response.context["form"].errors.get(field, [])


def test_a_submitted_text_becomes_a_task_of_its_visitor(alice, user):
    response = alice.post(ANALYZE, {"text": "one two", "language": "en"})
    task = Task.objects.get()
    assert response.url == reverse("tasks-ui:task-detail", args=[task.pk])
    assert (task.kind, task.owner) == ("text.analyze", user)
    assert task.input == {"text": "one two", "language": "en"}


def test_an_empty_optional_field_is_omitted_from_the_input(alice):
    alice.post(ANALYZE, {"text": "one two", "language": ""})
    assert Task.objects.get().input == {"text": "one two"}


def test_line_ends_are_stored_as_single_line_feeds(alice):
    alice.post(ANALYZE, {"text": " one\r\ntwo\r\n"})
    assert Task.objects.get().input == {"text": " one\ntwo\n"}


def test_a_task_of_an_anonymous_visitor_has_no_owner(client):
    client.post(ANALYZE, {"text": "one"})
    assert Task.objects.get().owner is None


def test_a_text_of_a_megabyte_is_accepted(alice):
    text = "ж wörd " * 150_000
    assert alice.post(ANALYZE, {"text": text}).status_code == 302
    assert Task.objects.get().input["text"] == text


@pytest.mark.parametrize(
    ("data", "field", "error"),
    [
        ({}, "text", "required"),
        ({"text": ""}, "text", "required"),
        ({"text": "a\0b"}, "text", "Null characters"),
        ({"text": "a", "language": "klingon"}, "language", "klingon"),
    ],
)
def test_an_error_is_shown_at_its_field_and_nothing_is_submitted(alice, data, field, error):
    response = alice.post(ANALYZE, data)
    assert response.status_code == 422
    assert error in " ".join(errors_at(response, field))
    assert not Task.objects.exists()


def test_an_invalid_form_keeps_the_entered_text(alice):
    response = alice.post(ANALYZE, {"text": "kept <b>", "language": "klingon"})
    assert "kept &lt;b&gt;" in response.content.decode()


def test_a_kind_without_a_schema_has_one_json_field(alice):
    alice.post("/ui/kinds/test.script/", {"input": '{"do": "return", "value": [1, null]}'})
    assert Task.objects.get().input == {"do": "return", "value": [1, None]}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "required"),
        ("{", "not JSON"),
        ("[1]", "Enter a JSON object"),
        ("null", "required"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "deeper"),
    ],
)
def test_an_input_that_is_not_a_storable_json_object_is_refused(alice, text, error):
    response = alice.post("/ui/kinds/test.script/", {"input": text})
    assert response.status_code == 422
    assert error in " ".join(errors_at(response, "input"))
    assert not Task.objects.exists()


def test_an_unknown_kind_has_no_form(alice):
    assert alice.get("/ui/kinds/test.unknown/").status_code == 404


def test_a_form_without_a_csrf_token_is_refused(csrf_client):
    response = csrf_client.post(ANALYZE, {"text": "one"})
    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()
    assert not Task.objects.exists()


def test_a_form_from_an_address_that_is_not_trusted_is_refused_with_the_setting(csrf_client):
    origin = "https://tasks.example.com:8443"
    response = csrf_client.post(ANALYZE, {"text": "one"}, headers={"Origin": origin})
    assert response.status_code == 403
    page = response.content.decode()
    assert f"The form was sent from {origin}, which this site does not know as its own." in page
    assert "<code>CSRF_TRUSTED_ORIGINS</code>" in page
    assert "expired" not in page
