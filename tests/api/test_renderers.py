"""JSON renderer: how values are written."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import orjson
import pytest
from django.utils.translation import gettext_lazy

from tasks.api.renderers import OrjsonRenderer

NOON = dt.datetime(2026, 1, 2, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (NOON, '"2026-01-02T12:00:00Z"'),
        (NOON.replace(microsecond=5), '"2026-01-02T12:00:00.000005Z"'),
        (dt.timedelta(minutes=2), '"120.0"'),
        (Decimal("1.25"), "1.25"),
        (gettext_lazy("Yes"), '"Yes"'),
        ({"a": [1, 2.5, None, "ü"]}, '{"a":[1,2.5,null,"ü"]}'),
        ({"stored": orjson.Fragment('{"a": [1]}')}, '{"stored":{"a": [1]}}'),
        (None, ""),
    ],
)
def test_values_are_rendered_in_the_documented_form(value: Any, written: str) -> None:
    assert OrjsonRenderer().render(value).decode() == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"fibonacci": 2**200, "text": "ü"}, f'{{"fibonacci":{2**200},"text":"ü"}}'),
        ({3: "three"}, '{"3":"three"}'),
        ({3: orjson.Fragment('{"a": [1e2, "ü"]}')}, '{"3":{"a":[100.0,"ü"]}}'),
    ],
)
def test_values_that_orjson_cannot_write_are_rendered(value: Any, written: str) -> None:
    assert OrjsonRenderer().render(value).decode() == written
