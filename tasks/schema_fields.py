"""Form fields for the properties of a JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms

from tasks.strict_json import MAX_INTEGER, MIN_INTEGER, MalformedJSON, parse_json

Schema = Mapping[str, Any]

# Texts that may be longer get several lines.
LINE_LENGTH = 200
# Keywords that make one property depend on another: such values are entered as JSON.
_COMPOSING = {"$ref", "allOf", "anyOf", "oneOf", "not", "if", "patternProperties"}


class LineField(forms.CharField):
    """A short text, kept as it was typed; None if empty."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, empty_value=None, **options)


class TextField(LineField):
    """A long text, with line ends as they were typed."""

    widget = forms.Textarea(attrs={"rows": 10})

    def to_python(self, value: Any) -> Any:
        """Undo the change that browsers make to line ends."""
        text = super().to_python(value)
        return text.replace("\r\n", "\n") if text else text


class JSONField(TextField):
    """Any JSON value, within the limits of the API."""

    widget = forms.Textarea(attrs={"rows": 6, "class": "code", "spellcheck": "false"})

    def to_python(self, value: Any) -> Any:
        """Parse the JSON; return None if there is none."""
        text = super().to_python(value)
        if not text or not text.strip():
            return None
        try:
            return parse_json(text.encode())
        except MalformedJSON as error:
            raise forms.ValidationError(str(error)) from None

    def validate(self, value: Any) -> None:
        """Require a value: any but null counts, `{}` and `[]` as well."""
        if self.required and value is None:
            raise forms.ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        """Do nothing: the validators are for texts, and the parser has checked the value."""


class ObjectField(JSONField):
    """A JSON object; an empty text is an empty object unless the field is required."""

    def to_python(self, value: Any) -> Any:
        """Parse the JSON; raise ValidationError if it is not an object."""
        parsed = super().to_python(value)
        if parsed is None:
            return None if self.required else {}
        if not isinstance(parsed, dict):
            raise forms.ValidationError("Enter a JSON object: {…}")
        return parsed


class CheckField(forms.BooleanField):
    """A checkbox; when unticked it is omitted unless required or true by default."""

    def __init__(self, *, keeps_false: bool, **options: Any) -> None:
        super().__init__(**{**options, "required": False})
        self._keeps_false = keeps_false

    def clean(self, value: Any) -> bool | None:
        """Return None if an absent value means the same as false."""
        ticked = bool(super().clean(value))
        return ticked if ticked or self._keeps_false else None


def fields_of(schema: Schema) -> dict[str, forms.Field] | None:
    """Return a field for each property, or None if the value must be entered as JSON."""
    properties = schema.get("properties")
    if not properties or not isinstance(properties, dict) or _COMPOSING & schema.keys():
        return None
    required = schema.get("required", ())
    return {
        name: _field(name, inner if isinstance(inner, dict) else {}, required=name in required)
        for name, inner in properties.items()
    }


def _field(name: str, schema: Schema, *, required: bool) -> forms.Field:
    options: dict[str, Any] = {
        "label": schema.get("title") or name.replace("_", " ").capitalize(),
        "help_text": schema.get("description", ""),
        "initial": schema.get("default"),
        "required": required,
    }
    if choices := _choices(schema):
        return _choice_field(choices, options)
    match _type(schema):
        case "string":
            return _string_field(schema, options)
        case "integer":
            return forms.IntegerField(**options, **_bounds(schema, MIN_INTEGER, MAX_INTEGER))
        case "number":
            return forms.FloatField(**options, **_bounds(schema, None, None))
        case "boolean":
            return CheckField(keeps_false=required or bool(schema.get("default")), **options)
    initial = options["initial"]
    shown = "" if initial is None else json.dumps(initial, ensure_ascii=False, indent=2)
    return JSONField(**{**options, "initial": shown})


def _string_field(schema: Schema, options: dict[str, Any]) -> forms.Field:
    longest = schema.get("maxLength")
    field = LineField if longest is None or longest <= LINE_LENGTH else TextField
    return field(**options, max_length=longest, min_length=schema.get("minLength"))


def _choice_field(choices: dict[str, Any], options: dict[str, Any]) -> forms.Field:
    offered = [(label, label) for label in choices]
    initial = options["initial"]
    if initial is not None:
        options["initial"] = _label(initial)
    if initial is None or not options["required"]:
        offered.insert(0, ("", "—"))
    return forms.TypedChoiceField(
        choices=offered, coerce=choices.__getitem__, empty_value=None, **options
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
        others = [name for name in types if name != "null"]
        return others[0] if len(others) == 1 else None
    return types


def _bounds(schema: Schema, low: int | None, high: int | None) -> dict[str, Any]:
    return {
        "min_value": schema.get("minimum", low),
        "max_value": schema.get("maximum", high),
    }
