"""Rules that make replies without a language model, from the last message.

They cover English; messages in other languages get the general replies. Each rule has several
replies and uses one after the other, so that no reply is repeated at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# A message is about what follows these words, up to the end of the clause.
_ABOUT = re.compile(r"\b(?:about|with|for|regarding|concerning|of)\s+([^.,;:!?\n]{3,60})", re.I)
# Words of the user, and the same seen from our side.
_MIRRORED = {
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

# The first rule that matches the last message counts; "{subject}" is what the message is about.
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
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), replies) for pattern, replies in _RULES)
_SILENCE = (
    "Are you still there? I am glad to go on whenever you are.",
    "Is there anything else that I can do for you?",
)


def next_reply(turns: Sequence[tuple[str, str]]) -> str:
    """Return the reply to these turns, always the same for the same turns."""
    earlier = {text for role, text in turns if role != "user"}
    if not turns or turns[-1][0] != "user":
        return _first_new(_SILENCE, earlier)
    last = turns[-1][1]
    about = subject(last)
    for pattern, replies in _COMPILED:
        if pattern.search(last):
            return _first_new([reply.replace("{subject}", about) for reply in replies], earlier)
    raise AssertionError("The last rule must match every message.")


def subject(text: str) -> str:
    """Return what a message is about, as seen from our side; "that" if it names nothing."""
    match = _ABOUT.search(text)
    if not match:
        return "that"
    return " ".join(_MIRRORED.get(word.lower(), word) for word in match[1].split())


def _first_new(replies: Sequence[str], earlier: set[str]) -> str:
    """Return the first reply that was not given earlier, or the last."""
    return next((reply for reply in replies if reply not in earlier), replies[-1])
