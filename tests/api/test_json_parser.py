"""JSON request bodies: what is accepted and refused (faults S01 to S04)."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tasks.api.parsers import MAX_BODY_BYTES
from tasks.strict_json import MAX_DEPTH, MAX_ITEMS, MAX_VALUES, MalformedJSON, parse_json
from tests.growth.measure import seconds

pytestmark = pytest.mark.urls("tests.api.echo")

CURL = "application/x-www-form-urlencoded"
JSON_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | JSON_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(JSON_TEXT, inner),
    max_leaves=30,
)
NEARLY_JSON = st.text(st.sampled_from('[]{}",:\\/0du8bf1eE+-. tNaI\n\ufeff')).map(str.encode)


@pytest.fixture(autouse=True)
def _open_api(settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = True


def post(client: Client, body: bytes, label: str = "application/json", **headers: str) -> Any:
    return client.generic("POST", "/echo", body, content_type=label, headers=headers)


def refusal(client: Client, body: bytes, label: str = "application/json", **headers: str) -> str:
    """Post a body that must be refused with 400; return the problem's detail."""
    response = post(client, body, label, **headers)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert response.json()["type"] == "/problems/malformed-body"
    return str(response.json()["detail"])


@hypothesis.settings(deadline=None)
@given(JSON_VALUE, st.booleans())
def test_json_within_the_limits_is_read_back(value: Any, escape: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=escape).encode()) == value


@hypothesis.settings(deadline=None)
@given(st.binary() | NEARLY_JSON | JSON_VALUE.map(lambda value: json.dumps(value)[:-1].encode()))
def test_any_bytes_are_read_as_by_the_json_module_or_raise_malformed_json(body: bytes) -> None:
    try:
        value = parse_json(body)
    except MalformedJSON as error:
        str(error).encode()
    else:
        assert value == json.loads(body)


@pytest.mark.parametrize(
    "label", ["application/json", CURL, "text/plain", "", "application/x+json"]
)
def test_json_is_accepted_under_any_content_type(client: Client, label: str) -> None:
    response = post(client, '{"text": "Füße"}'.encode(), label)
    assert (response.status_code, response.json()) == (200, {"received": {"text": "Füße"}})


@pytest.mark.parametrize("label", ["application/json", CURL, "text/plain", ""])
def test_an_empty_body_is_an_empty_object(client: Client, label: str) -> None:
    assert post(client, b"", label).json() == {"received": {}}


def test_an_empty_form_keeps_the_defaults(client: Client) -> None:
    response = client.generic("POST", "/defaults", b"", content_type=CURL)
    assert response.json() == {"eager": True}


@pytest.mark.parametrize(
    ("body", "label"),
    [(b"text=hello", CURL), (b"<a/>", "application/xml"), (b"--x\r\n", "multipart/form-data; a=x")],
)
def test_another_format_is_refused(client: Client, body: bytes, label: str) -> None:
    assert "This is not JSON" in refusal(client, body, label)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "identity, gzip", "br"])
def test_a_compressed_body_is_an_unsupported_media_type(client: Client, coding: str) -> None:
    response = post(client, b"\x1f\x8b", **{"content-encoding": coding})
    assert response.status_code == 415
    assert response.json()["type"] == "/problems/unsupported-media-type"
    assert response["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", " IDENTITY ", "", "identity,Identity"])
def test_an_uncompressed_body_may_say_so_in_any_case(client: Client, coding: str) -> None:
    response = post(client, b'{"text": "a"}', **{"content-encoding": coding})
    assert "Accept-Encoding" not in response.headers
    assert response.status_code != 415


def test_a_content_type_that_cannot_be_read_is_answered_with_the_one_that_can(
    client: Client,
) -> None:
    response = post(client, b"{}", "x" * 300)
    assert (response.status_code, response["Accept"]) == (415, "application/json")


def test_malformed_json_is_refused_with_the_place_of_the_error(client: Client) -> None:
    assert "line 1, column 10" in refusal(client, b'{"text": }')
    assert "line 1, column 10" in refusal(client, b'{"text": }', CURL)


@pytest.mark.parametrize("body", [b"null", b"5", b'"text"', b"true"])
def test_a_bare_value_is_refused(client: Client, body: bytes) -> None:
    assert refusal(client, body) == "The body must be a JSON object or array."


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"a": {"b": 1, "b": 2}}', "The name 'b' appears twice in one object."),
        (b"[NaN]", "NaN is not a JSON value."),
        (b"[-Infinity]", "-Infinity is not a JSON value."),
        (b"[-1e999]", "The number -1e999 is out of range."),
        (b"[9223372036854775808]", "The integer 9223372036854775808 is beyond 64 bits."),
        (b"[-9223372036854775809]", "The integer -9223372036854775809 is beyond 64 bits."),
        (b"[" + b"7" * 5000 + b"]", f"The integer {'7' * 40}… is beyond 64 bits."),
        (b"\xef\xbb\xbf{}", "The JSON starts with a byte order mark."),
        (b'["\xc0\xaf"]', "The JSON is not UTF-8 at byte 2."),
        (b'["\xed\xa0\x80"]', "The JSON is not UTF-8 at byte 2."),
        ('{"a": 1}'.encode("utf-16"), "The JSON is not UTF-8 at byte 0."),
    ],
)
def test_json_that_would_be_stored_differently_than_sent_is_refused(
    client: Client, body: bytes, detail: str
) -> None:
    assert refusal(client, body) == detail


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (rb'{"a": [1, {"b": "x\u0000"}]}', "a.1.b"),
        (rb'{"a": "\ud800"}', "a"),
        (rb'["\udc00\ud800"]', "0"),
        (rb'{"a": {"k\u0000": 1}}', r"a.'k\x00'"),
        (rb'{"\udfff": 1}', r"'\udfff'"),
    ],
)
def test_text_that_postgresql_cannot_store_is_refused_with_its_place(
    client: Client, body: bytes, place: str
) -> None:
    assert f"The text at {place} contains a character that is not allowed" in refusal(client, body)


def test_escapes_that_only_look_unstorable_are_kept(client: Client) -> None:
    body = rb'{"a": "\\u0000", "b": "\ud83d\ude00", "c": "\u202e\u200b"}'
    assert post(client, body).json()["received"] == {
        "a": r"\u0000",
        "b": "\U0001f600",
        "c": "\u202e\u200b",
    }


def test_integers_of_64_bits_are_kept(client: Client) -> None:
    body = b"[9223372036854775807, -9223372036854775808]"
    assert post(client, body).json()["received"] == [2**63 - 1, -(2**63)]


def test_nesting_is_bounded() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    brackets_in_text = json.dumps({"text": "[{\\" * 500}).encode()
    assert parse_json(brackets_in_text)
    for depth in (MAX_DEPTH + 1, 1_500, 60_000):
        with pytest.raises(MalformedJSON, match="nested deeper than 32 levels"):
            parse_json(b'{"a":[],"b":' * depth + b"1" + b"}" * depth)


def test_the_number_of_values_is_bounded() -> None:
    row = [0] * 999
    assert parse_json(json.dumps([row] * (MAX_VALUES // 1000 - 1)).encode())
    with pytest.raises(MalformedJSON, match="more than 200,000 values"):
        parse_json(json.dumps([row] * (MAX_VALUES // 1000 + 1)).encode())


def test_commas_inside_a_text_are_not_counted_as_values() -> None:
    text = r'a, "b" [c] \ ' * 100_000
    assert parse_json(json.dumps({"text": text}).encode()) == {"text": text}


def test_the_items_of_one_array_or_object_are_bounded() -> None:
    assert len(parse_json(json.dumps([0] * MAX_ITEMS).encode())) == MAX_ITEMS
    with pytest.raises(MalformedJSON, match="array of more than 50,000 items"):
        parse_json(json.dumps({"a": [[0] * (MAX_ITEMS + 1)]}).encode())
    with pytest.raises(MalformedJSON, match="object of more than 50,000 items"):
        parse_json(json.dumps({str(n): n for n in range(MAX_ITEMS + 1)}).encode())


TASK = {"kind": "text.analyze", "input": {"text": "hello"}, "priority": 3, "metadata": {"a": 1}}
TEN_THOUSAND_TASKS = json.dumps([TASK] * 10_000).encode()


def test_a_batch_of_ten_thousand_tasks_is_within_the_limits() -> None:
    assert len(parse_json(TEN_THOUSAND_TASKS)) == 10_000


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b"[" * 500_000 + b"]" * 500_000,
        b"{" + b'"a":1,' * 1_000_000 + b'"a":1}',
        b"[" + b"[]," * 1_000_000 + b"[]]",
        b"[" + b"1," * 100_000 + b"1]",
        b"[" + b"9" * 1_000_000 + b"]",
    ],
    ids=["open", "deep", "members", "empty arrays", "array", "digits"],
)
def test_refusing_a_hostile_document_costs_less_than_reading_a_permitted_one(body: bytes) -> None:
    with pytest.raises(MalformedJSON):
        parse_json(body)

    def cost(body: bytes) -> float:
        return seconds(lambda _: parse_json(body), "", runs=3)

    assert cost(body) < cost(TEN_THOUSAND_TASKS)


def test_a_body_of_the_maximum_size_is_read_and_one_byte_more_is_refused(client: Client) -> None:
    text = "a" * (MAX_BODY_BYTES - len('{"text":""}'))

    def post_text(text: str) -> Any:
        body = f'{{"text":"{text}"}}'.encode()
        return client.generic("POST", "/length", body, content_type="application/json")

    assert post_text(text).json() == len(text)
    response = post_text(text + "a")
    assert response.status_code == 413
    assert response.json()["type"] == "/problems/body-too-large"
