"""What may be a person's name."""

from __future__ import annotations

import unicodedata

from app.errors import InvalidInput

MAX_LENGTH = 80
# Characters that nobody sees: they reverse the text around them, or make two names look like one. (The joiners,
# U+200C and U+200D, do show: in Persian, in Indian scripts, in emoji.)
_DECEPTIVE = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u00ad\u200b\u2060\ufeff")


def clean_label(text: str | None) -> str:
    """The label to store: composed (NFC), without spaces around it or doubled within. Raises InvalidInput."""
    label = unicodedata.normalize("NFC", text or "").strip()
    label = " ".join(part for part in label.split(" ") if part)
    if not any(unicodedata.category(c)[0] in "LNPS" for c in label):
        raise InvalidInput("Please give a name.")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _DECEPTIVE for c in label):
        raise InvalidInput("A name cannot hold control characters or line breaks.")
    if len(label) > MAX_LENGTH:
        raise InvalidInput(f"A name can be {MAX_LENGTH} characters long; this one has {len(label):,}.")
    return label
