"""Figures of conversations: response times and words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.language import languages, words
from analysis.language.stopwords import is_stop_word

# The rest of a longer conversation would not change its most frequent words.
_LONGEST_TEXT = 200_000
# By Unicode's rules a page of base64 is one word.
_LONGEST_WORD = 100


class Times:
    """Response times in milliseconds."""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._values = list(values)

    def extend(self, others: Times) -> None:
        """Add those of another conversation."""
        self._values += others._values

    def summary(self) -> dict[str, Any] | None:
        """Return mean, median, 95th percentile and maximum; None without any time."""
        if not self._values:
            return None
        values = sorted(self._values)
        return {
            "count": len(values),
            "mean": round(sum(values) / len(values)),
            "p50": _percentile(values, 50),
            "p95": _percentile(values, 95),
            "max": values[-1],
        }


def words_of(texts: Sequence[str]) -> tuple[str | None, Counter[str]]:
    """Return the language of texts, and how often each word occurs; stop words are left out."""
    text = "\n\n".join(texts)[:_LONGEST_TEXT]
    language = languages.detect(text)
    counted = words.count(text, language)
    kept = {word: n for word, n in counted.items() if not is_stop_word(word, language)}
    return language, Counter(kept)


def top_words(counted: Counter[str], number: int) -> dict[str, list[Any]]:
    """Return the most frequent words and their counts."""
    top = counted.most_common(number)
    return {
        "top_words": [word[:_LONGEST_WORD] for word, _ in top],
        "top_counts": [n for _, n in top],
    }


def _percentile(values: Sequence[int], percent: int) -> int:
    """Return the percentile of sorted values: the smallest that `percent` % do not exceed."""
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]
