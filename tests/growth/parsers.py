"""Parsers of what callers and services send, each with the length at which its growth shows."""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_from_bytes

from django.http import QueryDict
from django.test import RequestFactory
from rest_framework.request import Request

from analysis.conversations import rules
from analysis.language import languages, spelling, stopwords, words
from analysis.llm import answers
from analysis.outgoing.retry_after import requested_delay
from analysis.summarize.sentences import sentences
from analysis.webhooks import facebook, generic, google
from taskproject.wsgi import application
from tasks import formatting, kinds
from tasks.api.filters import FailureFilters, TaskFilters
from tasks.api.gateway.environ import wsgi_environ
from tasks.api.pagination import FailurePages, TaskPages
from tasks.api.prefer_header import seconds_to_wait
from tasks.api.submissions import batch_request, task_options
from tasks.callback_address import mistake_in
from tasks.cron import CronExpression
from tasks.lifecycle.preparation import prepare
from tasks.models import Task
from tasks.models.task import parse_task_id
from tasks.pages.forms import InputForm
from tasks.pages.tree import tree_of
from tasks.retry_after import retry_after_seconds
from tasks.strict_json import parse_json
from tests.growth.measure import Work

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_requests = RequestFactory()
_BOUNDARY = b"multipart/form-data; boundary="


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _serve(path: bytes, *, query: bytes = b"", **headers: bytes) -> None:
    """Serve a request through every layer below the server."""
    names = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    scope: dict[str, Any] = {
        "method": "GET",
        "scheme": "http",
        "http_version": "1.1",
        "raw_path": path,
        "query_string": query,
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1),
        "headers": list({b"host": b"localhost", **names}.items()),
    }
    # A refused host is logged with its whole name.
    logging.disable(logging.CRITICAL)
    try:
        application(wsgi_environ(scope, b""), _start)
    finally:
        logging.disable(logging.NOTSET)


def _start(*_: Any) -> Any:
    """Take status and headers, which do not matter here."""


def _header(name: str, before: bytes = b"") -> Work:
    return lambda text: _serve(b"/docs", **{name: before + _bytes(text)})


def _multipart(before: str, after: str) -> Work:
    def read(text: str) -> object:
        body = b"--x\r\n" + before.encode() + _bytes(text) + after.encode() + b"\r\n--x--\r\n"
        return _requests.generic(
            "POST", "/", body, content_type="multipart/form-data; boundary=x"
        ).POST

    return read


def _form_body(text: str) -> object:
    form = "application/x-www-form-urlencoded"
    return _requests.generic("POST", "/", _bytes(text), content_type=form).POST


def _cursor(pages: type[TaskPages]) -> Work:
    def read(text: str) -> object:
        cursor = base64.b64encode(b"p=" + _bytes(text)).decode()
        return pages().decode_cursor(Request(_requests.get("/", {"cursor": cursor})))

    return read


def _filters(filters: Any) -> Work:
    def read(text: str) -> None:
        for name in filters.base_filters:
            filters(data={name: text}, queryset=Task.objects.all()).is_valid()
        filters.apply({text: ""}, Task.objects.all())

    return read


def _forms(text: str) -> None:
    """Check and show forms with fields of every type, filled with the text."""
    for name in ("text.analyze", "compute", "analytics.performance", "webhook.respond"):
        kind = kinds.get(name)
        names = InputForm(kind=kind).fields
        data = QueryDict(mutable=True)
        data.update(dict.fromkeys(names, text))
        form = InputForm(data, kind=kind)
        form.is_valid()
        form.as_div()


def _inputs(text: str) -> None:
    """Check the text in every property of every kind."""
    for kind in kinds.all_kinds().values():
        properties = kind.schema.get("properties", {"input": {}})
        for value in (text, [text], {text: text}, {"message": text, "text": text, "data": text}):
            try:
                kind.validate(dict.fromkeys(properties, value))
            except Exception as error:
                str(error)


def _options(text: str) -> None:
    for option in ("queue", "scheduled_at", "callback_url", "metadata"):
        value = {"a": text} if option == "metadata" else text
        try:
            prepare(**task_options({"kind": "compute", option: value}))
        except Exception as error:
            str(error)


def _batch(text: str) -> None:
    """Read a batch of as many tasks as the text has hundreds of characters, wrong in each."""
    batch_request([{"kind": text[:50], "queue": text[:50]}] * (len(text) // 100))


def _events(payload: Callable[[str], dict[str, Any]], events: Callable[..., object]) -> Work:
    return lambda text: events(payload(text))


def messenger(text: str) -> dict[str, Any]:
    """Return many events of one page, each with a part of the text."""
    attachments = [{"type": text[:99]}]
    events = [
        {"sender": {"id": text[:99]}, "message": {"mid": str(n), "attachments": attachments}}
        for n in range(len(text) // 100)
    ]
    whole = {"sender": {"id": text}, "message": {"mid": text, "text": text}}
    return {"entry": [{"id": text, "messaging": [whole, *events]}]}


def user_message(text: str) -> dict[str, Any]:
    fields = {"senderPhoneNumber": text, "messageId": text, "text": text, "agentId": text}
    return {"message": {"data": base64.b64encode(json.dumps(fields).encode()).decode()}}


def _completion(text: str) -> object:
    body = {"model": text, "choices": [{"message": {"content": text}}], "error": None}
    return answers.read(200, {}, json.dumps(body).encode(), model="")


def _stop_words(text: str) -> None:
    for language in ("en", "el", "fr"):
        stopwords.is_stop_word(text, language)


# The name of each parser, its work and the length of its longest text.
PARSERS: Mapping[str, tuple[Work, int]] = {
    "JSON": (lambda text: parse_json(_bytes(text)), 400_000),
    "JSON with the text": (lambda text: parse_json(json.dumps({"a": [text]}).encode()), 400_000),
    "JSON with escapes": (lambda text: parse_json(f'["{text}"]'.encode()), 400_000),
    "JSON numbers": (lambda text: parse_json(f"[0.{text}]".encode()), 400_000),
    "cron": (lambda text: CronExpression(cron=text, timezone=text).mistakes(), 200_000),
    "cron field": (
        lambda text: CronExpression(cron=f"{text} * * * *", timezone="UTC").next_tick(after=_NOW),
        200_000,
    ),
    "callback address": (lambda text: mistake_in(f"https://{text}"), 200_000),
    "callback path": (lambda text: mistake_in(f"https://a.example/{text}"), 200_000),
    "Retry-After": (lambda text: retry_after_seconds(text, now=_NOW), 200_000),
    "Retry-After date": (
        lambda text: retry_after_seconds(f"Mon, 01 Jan 2024 {text}", now=_NOW), 200_000,
    ),
    "requested delay": (
        lambda text: requested_delay({"Retry-After": text, "X-RateLimit-Reset": text}), 200_000,
    ),
    "Prefer": (seconds_to_wait, 200_000),
    "Accept": (_header("accept"), 64_000),
    "Content-Type": (_header("content_type"), 64_000),
    "multipart boundary": (_header("content_type", _BOUNDARY), 64_000),
    "Cookie": (_header("cookie"), 64_000),
    "Accept-Language": (_header("accept_language"), 64_000),
    "Host": (_header("host"), 64_000),
    "query": (lambda text: _serve(b"/docs", query=_bytes(text)), 64_000),
    "path": (lambda text: _serve(b"/" + quote_from_bytes(_bytes(text)).encode()), 16_000),
    "multipart value": (
        _multipart('Content-Disposition: form-data; name="a"\r\n\r\n', ""), 200_000,
    ),
    "multipart name": (
        _multipart('Content-Disposition: form-data; name="', '"\r\n\r\na'), 200_000,
    ),
    "multipart header": (_multipart("Content-Disposition: ", "\r\n\r\na"), 200_000),
    "form body": (_form_body, 200_000),
    "forms": (_forms, 8_000),
    "inputs": (_inputs, 10_000),
    "options": (_options, 100_000),
    "batch": (_batch, 100_000),
    "cursor": (_cursor(TaskPages), 64_000),
    "cursor of failures": (_cursor(FailurePages), 64_000),
    "task filters": (_filters(TaskFilters), 32_000),
    "failure filters": (_filters(FailureFilters), 32_000),
    "task id": (parse_task_id, 200_000),
    "JSON for people": (lambda text: formatting.payload({"a": [text], text: text}), 200_000),
    "rows of a value": (lambda text: tree_of({"a": [text, text], text: text}), 200_000),
    "rows of a list": (lambda text: tree_of([list(text)]), 200_000),
    "Messenger": (_events(messenger, facebook.events), 100_000),
    "RCS": (_events(user_message, google.events), 200_000),
    "RCS data": (lambda text: google.events({"message": {"data": text}}), 200_000),
    "Standard Webhooks": (
        lambda text: generic.events({"message": text, "id": text, "sender": text}), 200_000,
    ),
    "completion": (_completion, 200_000),
    "failure of the model": (
        lambda text: answers.read(500, {"Retry-After": text}, _bytes(text), model=""), 200_000,
    ),
    "language": (languages.detect, 200_000),
    "spelling": (lambda text: spelling.readable(text, "en"), 64_000),
    "stop words": (_stop_words, 64_000),
    "words": (lambda text: words.count(text, "en"), 64_000),
    "sentences": (lambda text: words.count_sentences(text, "en"), 64_000),
    "sentences of a summary": (lambda text: sentences(text, "en"), 64_000),
    "rules of replies": (lambda text: rules.next_reply([("user", text)]), 20_000),
}  # fmt: skip
