from __future__ import annotations

import pytest

from tests.growth.measure import growth, too_fast
from tests.growth.parsers import PARSERS


@pytest.mark.parametrize("name", PARSERS)
def test_the_work_of_a_parser_grows_no_faster_than_its_text(name: str) -> None:
    work, length = PARSERS[name]
    assert dict(too_fast(work, length)) == {}


def test_quadratic_work_is_noticed() -> None:
    def quadratic(text: str) -> None:
        for place in range(len(text)):
            text[place:].count("b")

    assert growth(quadratic, lambda length: "a" * length, 20_000) > 3
