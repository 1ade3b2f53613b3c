"""A form field for each simple property of a JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms

from tasks.strict_json import MAX_INTEGER, MIN_INTEGER, MalformedJSON, parse_json

Schema = Mapping[str, Any]

# Longer texts than this are given room.
LINE_LENGTH = 200
# Keywords that let one property decide about another: only JSON can say it all.
_COMPOSING = {"$ref", "allOf", "anyOf", "oneOf", "not", "if", "patternProperties"}


class LineField(forms.CharField):
    """A short text, kept as it was written; nothing where nothing was."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, empty_value=None, **options)


class TextField(LineField):
    """A long text with the line ends that its writer typed."""

    widget = forms.Textarea(attrs={"rows": 10})

    def to_python(self, value: Any) -> Any:
        """Undo what browsers do to line ends in forms."""
        text = super().to_python(value)
        return text.replace("\r\n", "\n") if text else text


class JSONField(TextField):
    """Any JSON value, within the bounds that the API has."""

    widget = forms.Textarea(attrs={"rows": 6, "class": "code", "spellcheck": "false"})

    def to_python(self, value: Any) -> Any:
        """Parse what was written."""
        text = super().to_python(value)
        if not text or not text.strip():
            return None
        try:
            return parse_json(text.encode())
        except MalformedJSON as error:
            raise forms.ValidationError(str(error)) from None

    def run_validators(self, value: Any) -> None:
        """Do nothing: they are for texts, and the parser has said what there is to say."""


class CheckField(forms.BooleanField):
    """Yes or no, where no tick is left out unless it says something."""

    def __init__(self, *, is_told: bool, **options: Any) -> None:
        super().__init__(**{**options, "required": False})
        self._is_told = is_told

    def clean(self, value: Any) -> bool | None:
        """Return None where an absent value means the same as false."""
        ticked = bool(super().clean(value))
        return ticked if ticked or self._is_told else None


def fields_of(schema: Schema) -> dict[str, forms.Field] | None:
    """Return a field for each property, or None when only JSON can say it all."""
    properties = schema.get("properties")
    if not properties or not isinstance(properties, dict) or _COMPOSING & schema.keys():
        return None
    required = schema.get("required", ())
    return {
        name: _field(name, inner if isinstance(inner, dict) else {}, required=name in required)
        for name, inner in properties.items()
    }


def _field(name: str, schema: Schema, *, required: bool) -> forms.Field:
    told: dict[str, Any] = {
        "label": schema.get("title") or name.replace("_", " ").capitalize(),
        "help_text": schema.get("description", ""),
        "initial": schema.get("default"),
        "required": required,
    }
    if choices := _choices(schema):
        return _choice_field(choices, told)
    match _type(schema):
        case "string":
            return _string_field(schema, told)
        case "integer":
            return forms.IntegerField(**told, **_bounds(schema, MIN_INTEGER, MAX_INTEGER))
        case "number":
            return forms.FloatField(**told, **_bounds(schema, None, None))
        case "boolean":
            return CheckField(is_told=required or bool(schema.get("default")), **told)
    initial = told["initial"]
    written = "" if initial is None else json.dumps(initial, ensure_ascii=False, indent=2)
    return JSONField(**{**told, "initial": written})


def _string_field(schema: Schema, told: dict[str, Any]) -> forms.Field:
    longest = schema.get("maxLength")
    field = LineField if longest is None or longest <= LINE_LENGTH else TextField
    return field(**told, max_length=longest, min_length=schema.get("minLength"))


def _choice_field(choices: dict[str, Any], told: dict[str, Any]) -> forms.Field:
    offered = [(label, label) for label in choices]
    initial = told["initial"]
    if initial is not None:
        told["initial"] = _label(initial)
    if initial is None or not told["required"]:
        offered.insert(0, ("", "—"))
    return forms.TypedChoiceField(
        choices=offered, coerce=choices.__getitem__, empty_value=None, **told
    )


def _choices(schema: Schema) -> dict[str, Any] | None:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not values:
        return None
    by_label = {_label(value): value for value in values if value is not None}
    is_plain = not any(isinstance(value, (dict, list)) for value in values)
    return by_label if is_plain and len(by_label) == len(values) - values.count(None) else None


def _label(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _type(schema: Schema) -> str | None:
    if _COMPOSING & schema.keys() or "enum" in schema or "const" in schema:
        return None
    types = schema.get("type")
    if isinstance(types, list):
        [*others] = (one for one in types if one != "null")
        return others[0] if len(others) == 1 else None
    return types


def _bounds(schema: Schema, low: int | None, high: int | None) -> dict[str, Any]:
    return {
        "min_value": schema.get("minimum", low),
        "max_value": schema.get("maximum", high),
    }
