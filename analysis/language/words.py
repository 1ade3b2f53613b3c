"""Words and sentences of a text by the rules of Unicode (UAX #29), in every script.

ICU finds their boundaries; for Chinese, Japanese, Thai, Lao, Khmer and Burmese, which are written
without spaces, it has dictionaries. The standard leaves hyphens open: here they join letters
("state-of-the-art" is one word).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from analysis.checked import Check, checked, unchecked
from analysis.language.spelling import JOINER, readable, without_emoji

# Words that lose their vowel before another; they count as words of their own.
_ELISIONS = {
    "ca": "d l m n s t",
    "fr": "c d j jusqu l lorsqu m n puisqu qu quoiqu s t",
    "it": "agl all c coll d dagl dall degl dell gl l m negl nell quell quest s sugl sull t un v",
}
_ELIDED = {language: frozenset(heads.split()) for language, heads in _ELISIONS.items()}
_NOT_ELIDED = frozenset({"c'est-à-dire"})
# ICU ends a sentence at every line break, but wrapped text has them inside sentences.
_WRAP = re.compile(r"(?<!\n)\n(?!\n)")
_BLANK_LINES = re.compile(r"\n{2,}")


def count(text: str, language: str | None, check: Check = unchecked) -> Counter[str]:
    """Return how often each word occurs, in the order in which words first occur.

    Words are in lower case and composed form (NFC); numbers are words; punctuation, symbols and
    emoji are not.
    """
    # Imported late: workers that analyse no text need not load ICU's dictionaries.
    from icu4py.breakers import WordBreaker

    # Each distinct segment is examined once, which makes long texts cheap.
    breaker = WordBreaker(readable(text, language), language or "en")
    segments = Counter(checked(breaker, check))
    words: Counter[str] = Counter()
    for segment, times in checked(segments.items(), check):
        if _is_wordlike(segment):
            for word in _without_elision(segment.replace(JOINER, "-"), language):
                words[word] += times
    return words


def count_sentences(text: str, language: str | None, check: Check = unchecked) -> int:
    """Return the number of sentences; a blank line ends one, a single line break does not."""
    from icu4py.breakers import SentenceBreaker

    written = without_emoji(text.encode("utf-8", "replace").decode())
    lines = "\n".join(map(str.strip, written.splitlines()))
    paragraphs = _BLANK_LINES.sub("\n", _WRAP.sub(" ", lines))
    breaker = SentenceBreaker(paragraphs, language or "en")
    return sum(map(_is_wordlike, checked(breaker, check)))


def _is_wordlike(segment: str) -> bool:
    return any(map(str.isalnum, segment))


def _without_elision(word: str, language: str | None) -> Iterator[str]:
    """Yield "l'" and "homme" for "l'homme" if the language elides words; else the word."""
    head, apostrophe, rest = word.partition("'")
    elided = _ELIDED.get(language or "", frozenset())
    if rest and head in elided and word not in _NOT_ELIDED:
        yield head + apostrophe
        yield rest
    else:
        yield word
