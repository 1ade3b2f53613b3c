"""Kind `text.analyze`: the most frequent words of a text, and its counts."""

from __future__ import annotations

from typing import Any

from analysis.checked import Check, checked, unchecked
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
            "description": "ISO 639-1 code of the text's language; detected if omitted.",
        },
    },
    required=["text"],
)

_TOP = 5
# By Unicode's rules a page of base64 is one word.
_SHOWN_CHARACTERS = 100


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Count the words of a text without its stop words, and return the five most frequent."""
    _pause(context)
    context.progress(90, "counting words")
    try:
        return analyze(input["text"], input.get("language"), context.check)
    except languages.UnknownLanguage as error:
        raise FatalError(str(error)) from error


def analyze(text: str, language: str | None = None, check: Check = unchecked) -> dict[str, Any]:
    """Return the counts of a text; raise UnknownLanguage for a language without stop words.

    `total_words` is `word_count` plus `stop_words_removed`; all other counts of words are without
    stop words. Of equally frequent words the one that occurs first comes first in `top_words`;
    `top_counts` holds their frequencies. `language` is None if none was given or detected.
    """
    if language is None:
        language = languages.detect(text)
    else:
        languages.require(language)
    counts = words.count(text, language, check)
    total = counts.total()
    for word in [word for word in checked(counts, check) if is_stop_word(word, language)]:
        del counts[word]
    top = counts.most_common(_TOP)
    return {
        "word_count": counts.total(),
        "top_words": [_shown(word) for word, _ in top],
        "top_counts": [count for _, count in top],
        "unique_words": len(counts),
        "total_words": total,
        "stop_words_removed": total - counts.total(),
        "sentences": words.count_sentences(text, language, check),
        "characters": len(text),
        "language": language,
    }


def _shown(word: str) -> str:
    return word if len(word) <= _SHOWN_CHARACTERS else word[: _SHOWN_CHARACTERS - 1] + "…"


def _pause(context: Context) -> None:
    seconds, steps = pause.draw(), 10
    for step in range(steps if seconds else 0):
        context.progress(90 * step / steps, "waiting for the configured delay")
        context.wait(seconds / steps)
