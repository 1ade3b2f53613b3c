"""Extractive summaries without a language model: the most representative sentences of a text.

SumBasic (Nenkova and Vanderwende, 2005) with a bonus for the first sentences, which in articles
hold the news. The score of a sentence is the mean weight of its words; the weight of a word is its
relative frequency, squared each time that the summary takes the word. Linear in the length of the
text for each of the at most five sentences.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from analysis.checked import Check, checked, unchecked
from analysis.language import languages, words
from analysis.language.stopwords import is_stop_word
from analysis.summarize.sentences import sentences

_MOST_SENTENCES = 5
_SHARE = 0.3
_LONGEST_SENTENCE = 600
# Shorter sentences rarely make sense alone.
_FEWEST_WORDS = 4
_FIRST_BONUS = 0.6
_BONUS_FADES_OVER = 3.0


def summarize(text: str, check: Check = unchecked) -> str:
    """Return up to five sentences of a text, in their order."""
    language = languages.detect(text)
    candidates = sentences(text, language)
    bags = [_content_words(sentence, language) for sentence in checked(candidates, check)]
    count = min(_MOST_SENTENCES, math.ceil(len(candidates) * _SHARE))
    chosen = sorted(_choose(bags, count, check)) or list(range(count))
    # These languages have no spaces between sentences.
    separator = "" if language in ("zh", "ja", "th") else " "
    return separator.join(_shortened(candidates[place]) for place in chosen)


def _choose(bags: Sequence[Counter[str]], count: int, check: Check) -> list[int]:
    """Return the places of the best sentences, best first."""
    frequency = Counter[str]()
    for bag in checked(bags, check):
        frequency.update(bag)
    total = frequency.total()
    weights = {word: times / total for word, times in frequency.items()}
    left = {place for place, bag in enumerate(bags) if len(bag) >= _FEWEST_WORDS}
    left = left or {place for place, bag in enumerate(bags) if bag}
    chosen: list[int] = []
    while left and len(chosen) < count:
        places = checked(left, check)
        best = max(places, key=lambda place: (_score(bags[place], place, weights), -place))
        left.remove(best)
        chosen.append(best)
        for word in bags[best]:
            weights[word] **= 2
    return chosen


def _score(bag: Counter[str], place: int, weights: dict[str, float]) -> float:
    mean = sum(weights[word] for word in bag) / len(bag)
    return mean * (1 + _FIRST_BONUS * math.exp(-place / _BONUS_FADES_OVER))


def _content_words(sentence: str, language: str | None) -> Counter[str]:
    counts = words.count(sentence, language)
    return Counter(
        {word: times for word, times in counts.items() if not is_stop_word(word, language)}
    )


def _shortened(sentence: str) -> str:
    if len(sentence) <= _LONGEST_SENTENCE:
        return sentence
    return sentence[: _LONGEST_SENTENCE - 1].rstrip() + "…"
