"""The embedded replies: rules on what was said last, for where no language model is to be had.

They know English; to other languages they give their general answers. A reply that was just given
is not given again: each rule has several, taken in turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What follows these words is what a message is about, as far as its clause goes.
_ABOUT = re.compile(r"\b(?:about|with|for|regarding|concerning|of)\s+([^.,;:!?\n]{3,60})", re.I)
# Said back, what is mine is yours.
_SAID_BACK = {
    "i": "you",
    "me": "you",
    "my": "your",
    "mine": "yours",
    "our": "your",
    "us": "you",
    "you": "us",
    "your": "our",
    "this": "that",
    "these": "those",
}

# The first rule that fits the last message decides; "{subject}" is what the message is about.
_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"\b(human|real person|agent|representative|operator|somebody real)\b",
        (
            "I am an automated assistant. I will pass this on to a colleague; please leave an "
            "address or a number where you can be reached.",
            "A colleague will read this conversation. Is there anything else they should know?",
        ),
    ),
    (
        r"\b(refund|money back|return (it|this|the)|complain|complaint)\b",
        (
            "I am sorry that it did not work out. Please tell me your order number, and whether "
            "you would like a replacement or your money back.",
            "Thank you. A colleague will look at your case with what you have told me here.",
        ),
    ),
    (
        r"\b(order|deliver\w*|shipp\w*|parcel|package|track\w*)\b",
        (
            "I'd be happy to help you with your order. What is its number?",
            "Thank you. With the order number a colleague can tell you where it is.",
        ),
    ),
    (
        r"\b(price|cost|costs|how much|discount|quote)\b",
        (
            "Prices change, so I would rather not name one from memory. Which product is it about?",
            "A colleague can send you an offer for {subject}. Where should it go?",
        ),
    ),
    (
        r"\b(broken|problem|issue|error|doesn'?t work|not working|fail\w*|crash\w*|stuck)\b",
        (
            "I am sorry to hear that. What happens exactly, and since when?",
            "Thank you for the details about {subject}. Has anything changed shortly before?",
        ),
    ),
    (
        r"\b(help|support|product|assist\w*|question)\b",
        (
            "I'd be happy to help you with {subject}. What would you like to know?",
            "Of course. Could you tell me a little more about {subject}?",
        ),
    ),
    (
        r"\b(thanks|thank you|thx|cheers)\b",
        ("You are welcome. Is there anything else?", "Gladly. Have a good day."),
    ),
    (
        r"\b(bye|goodbye|see you|good night)\b",
        ("Goodbye, and thank you for writing.", "Goodbye."),
    ),
    (
        r"^\W*(hi|hello|hey|good (morning|afternoon|evening))\b",
        ("Hello! What can I do for you?", "Hello again. How can I help?"),
    ),
    (
        r"\?\s*$",
        (
            "That is a good question about {subject}. Could you tell me what you need it for?",
            "I cannot answer that by myself; a colleague who knows about {subject} will.",
        ),
    ),
    (
        r"",
        (
            "Thank you for telling me about {subject}. What would you like to happen next?",
            "I see. Could you tell me more about {subject}?",
            "I have noted what you said about {subject}. Is there anything else?",
        ),
    ),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), said) for pattern, said in _RULES)
_SILENCE = (
    "Are you still there? I am glad to go on whenever you are.",
    "Is there anything else that I can do for you?",
)


def reply(turns: Sequence[tuple[str, str]]) -> str:
    """Return the next thing to say after these turns, always the same for the same turns."""
    given = {text for role, text in turns if role != "user"}
    if not turns or turns[-1][0] != "user":
        return _fresh(_SILENCE, given)
    last = turns[-1][1]
    about = subject(last)
    for pattern, said in _COMPILED:
        if pattern.search(last):
            return _fresh([one.replace("{subject}", about) for one in said], given)
    raise AssertionError("The last rule fits everything.")


def subject(text: str) -> str:
    """Name what a message is about, as seen from our side; "that" where it does not say."""
    if not (found := _ABOUT.search(text)):
        return "that"
    words = found[1].split()
    return " ".join(_SAID_BACK.get(word.lower(), word) for word in words)


def _fresh(said: Sequence[str], given: set[str]) -> str:
    """Return the first of the sentences that was not given, or the last."""
    return next((one for one in said if one not in given), said[-1])
