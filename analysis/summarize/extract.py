"""The embedded summariser: the sentences that say most of what a text says.

SumBasic (Nenkova and Vanderwende, 2005) with a bonus for early sentences, as those of articles
carry the news: a sentence is worth what its words are worth on average, a word what its frequency
is; words that the summary has count for little from then on. Linear in the text but for the few
rounds of choosing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from analysis.language import languages, words
from analysis.language.stopwords import is_stop_word
from analysis.summarize.sentences import sentences

_MOST_SENTENCES = 5
_SHARE = 0.3
_LONGEST_SENTENCE = 600
# Shorter sentences are rarely understood by themselves.
_FEWEST_WORDS = 4
_FIRST_BONUS = 0.6
_BONUS_FADES_OVER = 3.0


def summarize(text: str) -> str:
    """Return up to five sentences of a text, in their order."""
    language = languages.detect(text)
    found = sentences(text, language)
    bags = [_content_words(sentence, language) for sentence in found]
    wanted = min(_MOST_SENTENCES, math.ceil(len(found) * _SHARE))
    chosen = sorted(_choose(bags, wanted)) or list(range(wanted))
    # Between sentences of Chinese and the like there are no spaces.
    joint = "" if language in ("zh", "ja", "th") else " "
    return joint.join(_bounded(found[place]) for place in chosen)


def _choose(bags: Sequence[Counter[str]], wanted: int) -> list[int]:
    """Return the places of the sentences to take, best first."""
    frequency = sum(bags, Counter[str]())
    total = frequency.total()
    worth = {word: times / total for word, times in frequency.items()}
    left = {place for place, bag in enumerate(bags) if len(bag) >= _FEWEST_WORDS}
    left = left or {place for place, bag in enumerate(bags) if bag}
    chosen: list[int] = []
    while left and len(chosen) < wanted:
        best = max(left, key=lambda place: (_score(bags[place], place, worth), -place))
        left.remove(best)
        chosen.append(best)
        for word in bags[best]:
            worth[word] **= 2
    return chosen


def _score(bag: Counter[str], place: int, worth: dict[str, float]) -> float:
    mean = sum(worth[word] for word in bag) / len(bag)
    return mean * (1 + _FIRST_BONUS * math.exp(-place / _BONUS_FADES_OVER))


def _content_words(sentence: str, language: str | None) -> Counter[str]:
    counted = words.count(sentence, language)
    return Counter(
        {word: times for word, times in counted.items() if not is_stop_word(word, language)}
    )


def _bounded(sentence: str) -> str:
    if len(sentence) <= _LONGEST_SENTENCE:
        return sentence
    return sentence[: _LONGEST_SENTENCE - 1].rstrip() + "…"
