"""Markup from inputs, results and errors is shown as text on every page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tasks.models import Status
from tasks.pages.policy import CONTENT_SECURITY_POLICY
from tests.factories import make_attempt, make_task

pytestmark = pytest.mark.django_db

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "{{ 7|add:7 }}{% now 'Y' %}",
]


class Markup(HTMLParser):
    """Collects elements and attributes that a browser would run or load."""

    def __init__(self) -> None:
        super().__init__()
        self.suspects: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        source = dict(attributes).get("src", "") or ""
        if tag in ("style", "img") or (tag == "script" and not source.startswith("/static/")):
            self.suspects.append(tag)
        self.suspects += [
            name for name, _ in attributes if name.startswith("on") or name == "style"
        ]


def assert_harmless(page: str) -> None:
    markup = Markup()
    markup.feed(page)
    assert markup.suspects == []


def test_the_check_finds_unescaped_markup():
    for payload in PAYLOADS[:4]:
        with pytest.raises(AssertionError):
            assert_harmless(f"<title></title><p title='{payload}'>{payload}</p>")


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("status", Status.values)
def test_a_task_page_shows_payloads_as_text(client, payload, status):
    error = {"type": payload, "title": payload, "detail": payload, "traceback": payload}
    task = make_task(
        status,
        kind=payload,
        input={payload: payload},
        metadata={payload: payload},
        result={payload: [payload, {payload: payload}]} if status == Status.COMPLETED else None,
        error=error,
        progress_message=payload,
        claim_number=1,
    )
    make_attempt(task, claim_number=100, error=error)
    for part in ("", "status/", f"status/?seen={payload}"):
        assert_harmless(client.get(f"/ui/tasks/{task.pk}/{part}").content.decode())


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_kinds_own_result_view_shows_payloads_as_text(client, payload):
    result = {
        "top_words": [payload], "top_counts": [1], "word_count": payload, "language": payload,
    }  # fmt: skip
    task = make_task(Status.COMPLETED, kind="text.analyze", result=result)
    page = client.get(f"/ui/tasks/{task.pk}/").content.decode()
    assert "Most frequent words" in page
    assert_harmless(page)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_lists_forms_and_addresses_show_payloads_as_text(client, payload):
    make_task(kind=payload)
    for address in ("/", "/ui/tasks/", f"/ui/tasks/?status={payload}&before={payload}"):
        assert_harmless(client.get(address).content.decode())
    fields = {"text": payload, "language": payload}
    assert_harmless(client.post("/ui/kinds/text.analyze/", fields).content.decode())
    assert_harmless(client.get(f"/ui/login/?next={payload}").content.decode())


def test_the_policy_allows_only_files_of_this_site():
    directives = CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert directives["default-src"] == ["'none'"]
    assert {source for sources in directives.values() for source in sources} == {"'none'", "'self'"}
