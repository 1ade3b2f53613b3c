"""The words of a language that carry no meaning of their own."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from analysis.language.spelling import JOINER, readable

# Both libraries' English lists would also drop "system", "computer" and "world"; Snowball's holds
# function words only, though neither the modal verbs nor, as its stemmer cuts words, "don't".
_ENGLISH = Path(__file__).parent / "snowball" / "en.txt"
_MISSING_IN_ENGLISH = "also cannot could may might must shall upon us would"

# Here stop-words has the better list: the one of stopwords-iso drops nouns ("работа", "sistema",
# "Jahr") or, in Ukrainian, misses the commonest prepositions.
_FROM_STOP_WORDS = frozenset({"de", "fr", "it", "pt", "ru", "uk"})


def is_stop_word(word: str, language: str | None) -> bool:
    """Tell whether a word of `words.count` is a stop word of the language, or a compound of such.

    Without a language no word is.
    """
    if language is None:
        return False
    if word.endswith("'"):
        # Only what was parted from the next word ends so: the article of "l'homme".
        return True
    stop_words = _stop_words(language)
    word = _key(word, language)
    return word in stop_words or ("-" in word and stop_words.issuperset(word.split("-")))


@lru_cache(maxsize=64)
def _stop_words(language: str) -> frozenset[str]:
    spelt = (readable(word, language).replace(JOINER, "-") for word in _listed(language))
    return frozenset(_key(word, language) for word in spelt)


def _listed(language: str) -> set[str]:
    # Imported late: stopwordsiso reads the lists of all its languages at once.
    import stop_words  # type: ignore[import-untyped]
    import stopwordsiso

    if language in _FROM_STOP_WORDS:
        return set(stop_words.get_stop_words(language, cache=False))
    listed: set[str] = stopwordsiso.stopwords(language)
    if language == "en":
        contractions = {word for word in listed if "'" in word}
        snowball = _ENGLISH.read_text(encoding="utf-8").split()
        return contractions.union(snowball, _MISSING_IN_ENGLISH.split())
    return listed


def _key(word: str, language: str) -> str:
    """Return what a word is looked up by: for Greek, whose list is unaccented, without accents."""
    if language != "el":
        return word
    letters = unicodedata.normalize("NFD", word)
    return "".join(filter(str.isalpha, letters)).replace("ς", "σ")
