"""The kind `text.analyze`: what a text talks about, told by its most frequent words."""

from __future__ import annotations

from typing import Any

from analysis.input_schema import input_schema
from analysis.language import languages, words
from analysis.language.stopwords import is_stop_word
from analysis.text import pause
from tasks.kinds import Context, FatalError

INPUT = input_schema(
    {
        "text": {
            "type": "string",
            "maxLength": 2_000_000,
            "description": "The text to analyse, in any language and script.",
        },
        "language": {
            "enum": list(languages.SUPPORTED),
            "description": "ISO 639-1 code of the text's language; detected when not given.",
        },
    },
    required=["text"],
)

_TOP = 5
# What is one word to Unicode may be a page of base64 to a reader.
_SHOWN_CHARACTERS = 100


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Count a text's words without its stop words, and name the five most frequent."""
    _pause(context)
    context.progress(90, "counting words")
    try:
        return analyze(input["text"], input.get("language"))
    except languages.UnknownLanguage as error:
        raise FatalError(str(error)) from error


def analyze(text: str, language: str | None = None) -> dict[str, Any]:
    """Return the counts of a text; raise UnknownLanguage for a language without stop words.

    `total_words` is `word_count` (words that are left, as in all counts but this one) plus
    `stop_words_removed`. Of equally frequent words the one seen first comes first in `top_words`;
    `top_counts` holds their frequencies. `language` is None where none was given or detected.
    """
    if language is None:
        language = languages.detect(text)
    else:
        languages.require(language)
    found = words.count(text, language)
    total = found.total()
    for word in [word for word in found if is_stop_word(word, language)]:
        del found[word]
    top = found.most_common(_TOP)
    return {
        "word_count": found.total(),
        "top_words": [_shown(word) for word, _ in top],
        "top_counts": [times for _, times in top],
        "unique_words": len(found),
        "total_words": total,
        "stop_words_removed": total - found.total(),
        "sentences": words.count_sentences(text, language),
        "characters": len(text),
        "language": language,
    }


def _shown(word: str) -> str:
    return word if len(word) <= _SHOWN_CHARACTERS else word[: _SHOWN_CHARACTERS - 1] + "…"


def _pause(context: Context) -> None:
    seconds, steps = pause.configured().draw(), 10
    for step in range(steps if seconds else 0):
        context.progress(90 * step / steps, "pausing, as configured")
        context.wait(seconds / steps)
