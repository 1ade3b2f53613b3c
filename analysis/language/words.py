"""Words and sentences as Unicode cuts them (UAX #29), in every script.

ICU does the cutting; its dictionaries find the words of Chinese, Japanese, Thai, Lao, Khmer and
Burmese, which are written without spaces. The standard leaves hyphens to taste: here they join
letters ("state-of-the-art" is one word).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from analysis.language.spelling import JOINER, readable

# The short words that lose their vowel before another; apart from the next one they are words.
_ELISIONS = {
    "ca": "d l m n s t",
    "fr": "c d j jusqu l lorsqu m n puisqu qu quoiqu s t",
    "it": "agl all c coll d dagl dall degl dell gl l m negl nell quell quest s sugl sull t un v",
}
_ELIDED = {language: frozenset(heads.split()) for language, heads in _ELISIONS.items()}
_NOT_ELIDED = frozenset({"c'est-à-dire"})
# ICU would end a sentence at every line break; in text set to a width it means nothing.
_WRAP = re.compile(r"(?<!\n)\n(?!\n)")
_BLANK_LINES = re.compile(r"\n{2,}")


def count(text: str, language: str | None) -> Counter[str]:
    """Return how often each word occurs, in the order in which words first occur.

    Words are in lower case and composed form (NFC); numbers are words; punctuation, symbols and
    emoji are not.
    """
    # Imported late: a worker that analyses no text need not hold ICU's dictionaries.
    from icu4py.breakers import WordBreaker

    # Only distinct segments are looked at, which is what makes a long text cheap.
    segments = Counter(WordBreaker(readable(text, language), language or "en"))
    words: Counter[str] = Counter()
    for segment, times in segments.items():
        if _is_wordlike(segment):
            for word in _without_elision(segment.replace(JOINER, "-"), language):
                words[word] += times
    return words


def count_sentences(text: str, language: str | None) -> int:
    """Return the number of sentences; a blank line ends one, a single line break does not."""
    from icu4py.breakers import SentenceBreaker

    lines = "\n".join(map(str.strip, text.encode("utf-8", "replace").decode().splitlines()))
    paragraphs = _BLANK_LINES.sub("\n", _WRAP.sub(" ", lines))
    return sum(map(_is_wordlike, SentenceBreaker(paragraphs, language or "en")))


def _is_wordlike(segment: str) -> bool:
    return any(map(str.isalnum, segment))


def _without_elision(word: str, language: str | None) -> Iterator[str]:
    """Yield "l'" and "homme" for "l'homme", where the language writes so; else the word."""
    head, apostrophe, rest = word.partition("'")
    elided = _ELIDED.get(language or "", frozenset())
    if rest and head in elided and word not in _NOT_ELIDED:
        yield head + apostrophe
        yield rest
    else:
        yield word
