"""Hostile texts of any length: each repeats one thing that a careless parser goes back over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

Shape = Callable[[int], str]

_REPEATED = {
    "abbreviations": "A. ",
    "titles": "Mr. ",
    "sentences that go on": "e.g. a ",
    "quotes": '" ',
    "quoted words": '"a" ',
    "quotes after full stops": '." ',
    "elisions": "l'",
    "brackets": "(",
    "pairs of brackets": "()",
    "square brackets": "[",
    "closing brackets": ")]",
    "one word": "a",
    "one line": "word ",
    "lines": "word.\n",
    "paragraphs": "ab.\n\n",
    "line breaks": "\n",
    "line breaks and blanks": "\n \t",
    "Windows line breaks": "\r\n",
    "blanks": " ",
    "one combining mark": "\u0301",
    "letters with marks": "a\u0301\u0323\u0308",
    "joiners": "\u200d",
    "emoji of a family": "👩\u200d👩\u200d👧\u200d👦",
    "keycaps": "1\ufe0f\u20e3",
    "flags": "🇩🇪",
    "variation selectors": "\ufe0f",
    "digits": "1",
    "digits and full stops": "1.",
    "digits and commas": "1,",
    "marks of direction": "\u200f",
    "right-to-left words": "\u200fא ",
    "stretched Arabic": "\u0640",
    "Thai": "ภาษาไทย",
    "Chinese": "漢字",
    "Japanese": "ひらがなカタカナ",
    "Burmese": "မြန်မာ",
    "Khmer": "ភាសាខ្មែរ",
    "Lao": "ພາສາລາວ",
    "Korean": "\u1100\u1161\u11a8",
    "Greek": "ᾴ",
    "dotted capitals": "İ",
    "semicolons": ";",
    "quoted semicolons": ';"',
    "commas": ",",
    "full stops": ".",
    "question marks": "? ",
    "exclamations": "!?",
    "hyphens": "-",
    "hyphenated words": "a-",
    "colons": "a:",
    "backslashes": "\\",
    "escaped quotes": '\\"',
    "nested objects": '{"a":',
    "many objects": '{"a":1},',
    "parameters": "a=1&",
    "percent signs": "%",
    "slashes": "/",
    "surrogate escapes": "\\ud800",
    "NUL escapes": "\\u0000",
    "lone surrogates": "\ud800",
    "base64": "QUJD/+",
    "prepositions": "about ",
    "prepositions and line breaks": "about\n",
    "underscores": "_",
}


def _repeated(unit: str) -> Shape:
    return lambda length: (unit * (length // len(unit) + 1))[:length]


def _distinct_words(length: int) -> str:
    """Return sentences of four words, none of which occurs twice."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = map("".join, itertools.product(letters, repeat=4))
    sentences = (
        f"{next(words).capitalize()} {next(words)} {next(words)} {next(words)}. "
        for _ in range(length // 21 + 1)
    )
    return "".join(sentences)[:length]


SHAPES: Mapping[str, Shape] = {
    **{name: _repeated(unit) for name, unit in _REPEATED.items()},
    "distinct words": _distinct_words,
    "marks out of order": lambda length: "a" + "\u0301\u0323" * (length // 2),
    "marks before lower ones": lambda n: "α" + "\u0301" * (n // 2) + "\u0323" * (n // 2),
    "an open quote": lambda length: 'a;b="' + ";" * length,
    "an open quote and words": lambda length: '"' + "a;" * (length // 2),
    "a line break and blanks": lambda length: "\n" + " " * length + "x",
    "a preposition and blanks": lambda length: "about" + " " * length,
}
