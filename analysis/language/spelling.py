"""Spelling: one for each word, as its language writes it in lower case."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# Replaces hyphens while words are cut, because it joins letters.
JOINER = "\N{HYPHENATION POINT}"

# Invisible characters, and those that ordinary writing leaves out: soft hyphens, marks of
# direction, byte order marks; vowel signs and the stretching stroke of Arabic; points and accents
# of Hebrew.
_UNWRITTEN = re.compile(
    "[\u00ad\u034f\u061c\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
    "\u0640\u064b-\u0652\u0670"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]+"
)
# Digits and letters that are emoji as written here (UTS #51): keycaps, and the letter i as a sign.
_EMOJI = re.compile("[0-9#*]\ufe0f?\u20e3|\u2139\ufe0f")
_EVERYWHERE = (
    ("\N{RIGHT SINGLE QUOTATION MARK}", "'"),
    ("\N{FULLWIDTH APOSTROPHE}", "'"),
    ("-", JOINER),
    ("\N{HYPHEN}", JOINER),
    ("\N{NON-BREAKING HYPHEN}", JOINER),
    # By Unicode's rule its lower case would be an i with two dots.
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
)
_TURKIC = (("I", "\N{LATIN SMALL LETTER DOTLESS I}"),)
_APOSTROPHE_IS_A_LETTER = (("\N{MODIFIER LETTER APOSTROPHE}", "'"),)
# Romanian letters have commas below; older texts use cedillas instead.
_ROMANIAN = (("Ş", "Ș"), ("ş", "ș"), ("Ţ", "Ț"), ("ţ", "ț"))
_OF_LANGUAGE = {
    "az": _TURKIC,
    "be": _APOSTROPHE_IS_A_LETTER,
    "ro": _ROMANIAN,
    "tr": _TURKIC,
    "uk": _APOSTROPHE_IS_A_LETTER,
}
# In these languages a colon can be inside a word ("k:a" is Swedish); in others it separates words.
_COLON_JOINS = frozenset({"fi", "sv"})


def readable(text: str, language: str | None) -> str:
    """Return the text in lower case and composed form (NFC), with one sort of apostrophe.

    Hyphens become `JOINER`, and emoji made of a digit or a letter become blanks; a lone surrogate,
    which is not a character, becomes "?".
    """
    text = text.encode("utf-8", "replace").decode()
    if not text.isascii():
        text = without_emoji(composed(text))
    for written, unified in (*_EVERYWHERE, *_OF_LANGUAGE.get(language or "", ())):
        # Several times faster than a single `translate`.
        text = text.replace(written, unified)
    if language not in _COLON_JOINS:
        text = text.replace(":", " ")
    return _UNWRITTEN.sub("", text.lower())


def composed(text: str) -> str:
    """Return the text in composed form (NFC), at a cost linear in its length."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _long_marks().sub(_divided, text))


def without_emoji(text: str) -> str:
    """Return the text with blanks for the emoji that contain a digit or a letter."""
    return _EMOJI.sub(" ", text)


@cache
def _long_marks() -> re.Pattern[str]:
    """Return the pattern of more combining marks in a row than any language writes.

    Normalisation would put them in order in quadratic time. Unicode's limit for texts that are
    processed in a stream (UAX #15, section 13) is the same.
    """
    marks = "".join(filter(unicodedata.combining, map(chr, range(0x300, 0x20000))))
    return re.compile(f"[{marks}]{{30}}(?=[{marks}])")


def _divided(marks: re.Match[str]) -> str:
    # As Unicode recommends; the character is invisible, and removed afterwards.
    return f"{marks[0]}\N{COMBINING GRAPHEME JOINER}"
