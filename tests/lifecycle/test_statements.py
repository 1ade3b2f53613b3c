"""The texts of the state machine's statements, as they are sent."""

from __future__ import annotations

import pytest
from psycopg._queries import MAX_CACHED_STATEMENT_LENGTH

from tasks import sql

STATEMENTS = {
    name: text for name, text in vars(sql).items() if name.isupper() and isinstance(text, str)
}


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - {"IS_JOBLESS", "IS_TASKLESS"}))
def test_a_statement_begins_with_its_name_and_has_no_other_comment(name: str) -> None:
    title, *lines = STATEMENTS[name].splitlines()
    assert title.startswith(f"-- {name.lower().removesuffix('_keyed')}: ")
    assert [line for line in lines if "--" in line or line != line.strip()] == []


def test_a_claim_is_short_enough_to_be_parsed_once() -> None:
    # It is sent for each single task while workers are idle.
    assert len(sql.CLAIM.encode()) <= MAX_CACHED_STATEMENT_LENGTH
