"""The form built from a kind's JSON Schema, and the input built from the form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django import forms
from django.http import QueryDict

from tasks.kinds import Kind
from tasks.pages.forms import InputForm


def form_for(properties: dict[str, Any], data: dict[str, str] | None = None, **schema: Any):
    input_schema = {"type": "object", "properties": properties, **schema}
    kind = Kind(name="a.kind", handler=lambda *_: None, description="", input=input_schema)
    query = None
    if data is not None:
        query = QueryDict(mutable=True)
        query.update(data)
    return InputForm(query, kind=kind)


def input_of(properties, data, **schema):
    form = form_for(properties, data, **schema)
    assert form.is_valid(), form.errors
    return form.input


def errors_of(properties, data, **schema):
    form = form_for(properties, data, **schema)
    assert not form.is_valid()
    return form.errors


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, " a ", " a "),
        ({"type": "integer"}, "-7", -7),
        ({"type": "number"}, "0.5", 0.5),
        ({"type": "boolean"}, "on", True),
        ({"enum": ["a", "b"]}, "b", "b"),
        ({"enum": [1, 2.5, True]}, "2.5", 2.5),
        ({"const": "only"}, "only", "only"),
        ({"type": ["integer", "null"]}, "3", 3),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "5", 5),
        (True, '"anything"', "anything"),
    ],
)
def test_a_simple_type_has_its_own_field_and_any_other_a_json_field(schema, text, value):
    assert input_of({"it": schema}, {"it": text}) == {"it": value}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"},
        {"enum": ["a"]}, {"type": "array"}, {"type": "integer", "default": 3},
    ],
)  # fmt: skip
def test_an_empty_optional_property_is_omitted(schema):
    assert input_of({"it": schema}, {}) == {}


@pytest.mark.parametrize("extra", [{"required": ["it"]}, {}])
def test_an_unticked_box_is_false_if_required_or_true_by_default(extra):
    default = {} if extra else {"default": True}
    assert input_of({"it": {"type": "boolean", **default}}, {}, **extra) == {"it": False}


def test_a_long_text_has_a_text_area_and_a_short_one_a_single_line():
    form = form_for({"long": {"type": "string", "maxLength": 5000}, "short": {"type": "string"}})
    assert isinstance(form.fields["long"].widget, forms.Textarea)
    assert isinstance(form.fields["short"].widget, forms.TextInput)


def test_a_field_shows_its_title_description_and_default():
    form = form_for({"word_count": {"type": "integer", "description": "How many.", "default": 3}})
    field = form.fields["word_count"]
    assert (field.label, field.help_text, field.initial) == ("Word count", "How many.", 3)


@pytest.mark.parametrize(
    ("schema", "text", "error"),
    [
        ({"type": "integer"}, "many", "whole number"),
        ({"type": "integer"}, "9" * 30, "less than or equal"),
        ({"type": "integer", "maximum": 5}, "6", "less than or equal to 5"),
        ({"type": "number"}, "NaN", "number"),
        ({"type": "string", "pattern": "^a"}, "b", "does not match"),
        ({"type": "array", "items": {"type": "integer"}}, '[1, "x"]', "1: "),
        ({"enum": ["a"]}, "b", "valid choice"),
    ],
)
def test_an_error_of_the_schema_is_shown_at_its_field(schema, text, error):
    assert error in errors_of({"it": schema}, {"it": text})["it"][0]


def test_an_error_that_concerns_no_single_field_is_shown_above_the_form():
    errors = errors_of({"it": {"type": "string"}}, {}, minProperties=1)
    assert list(errors) == ["__all__"]


@pytest.mark.parametrize("text", ["{}", "[]", "0", "false", '""'])
def test_a_required_json_value_may_be_empty(text):
    form = form_for({"it": {}}, {"it": text}, required=["it"])
    assert form.is_valid(), form.errors
    assert form.input == {"it": json.loads(text)}


@pytest.mark.parametrize("text", ["", "null"])
def test_a_required_json_value_must_not_be_missing(text):
    assert "required" in errors_of({"it": {}}, {"it": text}, required=["it"])["it"][0]


def test_the_form_of_a_kind_without_properties_is_submitted_as_it_is_shown():
    shown = form_for({})["input"].value()
    form = form_for({}, {"input": shown})
    assert form.is_valid(), form.errors
    assert form.input == {}


def test_a_schema_with_dependent_properties_has_one_json_field():
    branches = [{"required": ["a"]}, {"required": ["b"]}]
    form = form_for({"a": {}, "b": {}}, {"input": '{"a": 1}'}, oneOf=branches)
    assert list(form.fields) == ["input"]
    assert form.is_valid()
    assert form.input == {"a": 1}


def test_a_property_named_input_has_its_own_field():
    assert input_of({"input": {"type": "string"}}, {"input": "x"}) == {"input": "x"}
