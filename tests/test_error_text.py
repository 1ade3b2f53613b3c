"""Texts of exceptions: they can always be made, and hold no credentials."""

from __future__ import annotations

import logging
from uuid import uuid4

import orjson
import pytest

from taskproject.logging import logging_config
from tasks.error_text import cleaned, detail_of, traceback_of
from tasks.kinds import FatalError, Kind
from tasks.lifecycle.ending import Claim, Ending, raised
from tests.factories import make_context
from tests.script.hostile import ExitAsText, NoneAsText, WithoutText


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://u:hunter2@db/x failed", "postgres://***@db/x failed"),
        ("redis://:p@ss:word@cache:6379/0", "redis://***@cache:6379/0"),
        ("amqp://guest@mq and https://a:b@c", "amqp://***@mq and https://***@c"),
        ('{"url":"http://a.example","mail":"ada@b.example"}', None),
        ("https://a.example/@ada/x?y=@z", None),
        ("ada@b.example", None),
        ("postgres://h/db?user=u&password=hunter2 x", "postgres://h/db?user=u&password=*** x"),
        (
            "https://h/x?api_key=a&Token=b&sig=c&q=d",
            "https://h/x?api_key=***&Token=***&sig=***&q=d",
        ),
        ("host=db user=u password=hunter2 dbname=x", "host=db user=u password=*** dbname=x"),
        ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=***"),
        ("the signal=5 and tokens=7", None),
        ("http://a.example, ada@b.example", None),
        ("caf\ud83d \0", "caf? "),
    ],
)
def test_the_credentials_of_urls_are_masked(text, shown):
    assert cleaned(text) == (text if shown is None else shown)


@pytest.mark.parametrize("error", [WithoutText(), NoneAsText(), ExitAsText()])
def test_an_exception_without_a_text_still_has_a_detail_and_a_traceback(error):
    assert detail_of(error).startswith("The text of this exception cannot be shown: ")
    assert type(error).__name__ in traceback_of(error)


def test_a_password_appears_neither_in_the_traceback_nor_in_the_log(capsys):
    with pytest.raises(OSError, match="no answer") as caught:
        raise OSError("no answer from postgres://ada:secret@db/x")
    assert "ada:secret" not in traceback_of(caught.value)
    _log_as_the_project_does(caught.value)
    line = capsys.readouterr().err
    assert "postgres://***@db/x" in line
    assert "ada:secret" not in line


def _log_as_the_project_does(error: Exception) -> None:
    logger = logging.Logger("test")
    config = logging_config(level="INFO", json=True)
    formatter = config["formatters"]["line"]
    handler = logging.StreamHandler()
    handler.setFormatter(formatter.pop("()")(**formatter))
    logger.addHandler(handler)
    logger.error("could not reach postgres://ada:secret@db/x", exc_info=error)


def test_a_password_does_not_appear_in_the_progress():
    context = make_context()
    context.progress(5, "connecting to postgres://ada:hunter2@db/x")
    assert context.take_report() == (5, "connecting to postgres://***@db/x")


class HTTPError(Exception):
    """An exception with an abbreviation as its name."""


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (ValueError(), "Value error"),
        (FatalError(), "Fatal error"),
        (OSError(), "OSError"),
        (HTTPError(), "HTTPError"),
    ],
)
def test_the_title_of_an_error_is_its_name_in_words(error, title):
    assert _error_of(raised(_claim(), _kind(), error))["title"] == title


def test_a_kind_may_hide_the_texts_of_unexpected_exceptions():
    kind = _kind(public_errors=False)
    unexpected = raised(_claim(), kind, OSError("/srv/secret.txt is missing"))
    assert _error_of(unexpected)["detail"] == "The details are shown to operators only."
    assert b"/srv/secret.txt" in (unexpected.traceback or b"")
    deliberate = raised(_claim(), kind, FatalError("the text is empty"))
    assert _error_of(deliberate)["detail"] == "the text is empty"


def _error_of(ending: Ending) -> dict[str, str]:
    error: dict[str, str] = orjson.loads(ending.error or b"null")
    return error


def _kind(*, public_errors: bool = True) -> Kind:
    return Kind(
        name="test.script",
        handler=lambda *_: None,
        description="",
        public_errors=public_errors,
    )


def _claim() -> Claim:
    return Claim(
        id=uuid4(), job_id=1, kind="test.script", queue="default", owner_id=None, input={},
        attempt=1, max_attempts=3, claim_number=1,
    )  # fmt: skip
